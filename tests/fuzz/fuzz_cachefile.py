"""Coverage-guided fuzzing of the reader of cache files: `python tests/fuzz/fuzz_cachefile.py -help=1`.

A crash is any exception but CacheFileError, and any entry that is written and read back as another.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

with atheris.instrument_imports(include=["qcaps"]):
    from qcaps.capabilities import cachefile

from tests.fuzz import fuzzing

SEED = b"""<qemuCaps>
  <emulator>/usr/bin/qemu-system-x86_64</emulator>
  <qemuctime>1700000000</qemuctime>
  <qemumoddirmtime>1700000000</qemumoddirmtime>
  <selfctime>1</selfctime>
  <selfvers>9000000</selfvers>
  <flag name='kvm'/>
  <flag name='tcg'/>
  <flag name='virtio-net-pci'/>
  <version>7002022</version>
  <kvmVersion>0</kvmVersion>
  <microcodeVersion>42</microcodeVersion>
  <hostCPUSignature>GenuineIntel, Intel, family: 6, model: 1, stepping: 1</hostCPUSignature>
  <package>Debian</package>
  <kernelVersion>6.1.0</kernelVersion>
  <arch>x86_64</arch>
  <hostCPU type='tcg' model='base' migratability='yes'>
    <property name='vmx' type='boolean' value='false' migratable='yes'/>
    <property name='min-level' type='number' value='7'/>
    <property name='vendor' type='string' value='AuthenticAMD'/>
  </hostCPU>
  <cpu type='kvm' name='qemu64' typename='qemu64-x86_64-cpu' usable='no'>
    <blocker name='svm'/>
  </cpu>
  <cpu type='tcg' name='max' typename='max-x86_64-cpu' usable='yes' deprecated='yes'/>
  <machine type='tcg' name='pc-q35-7.2' alias='q35' hotplugCpus='yes' maxCpus='288' defaultCPU='qemu64-x86'
    numaMemSupported='yes' defaultRAMid='pc.ram'/>
  <gic version='3' kernel='yes' emulated='no'/>
  <kvmSupportsNesting/>
</qemuCaps>
<!-- binary: ctime 1700000000123456789 ns, inode 4711, 123456 bytes -->
"""


def one_input(data: bytes) -> None:
    """Read, write, read again."""
    try:
        entry = cachefile.parse(data, "fuzzed")
    except cachefile.CacheFileError as error:
        fuzzing.check_line(error)
        return
    if cachefile.parse(cachefile.format(entry), "written") != entry:
        raise AssertionError("read back as another entry")


if __name__ == "__main__":
    fuzzing.run(one_input, [SEED])
