"""libvirt's cache file: read, written, refused."""

from __future__ import annotations

import resource
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from qcaps.capabilities import cachefile, flags
from qcaps.capabilities.cachefile import CacheFileError
from qcaps.capabilities.model import CpuProperty
from qcaps.capabilities.snapshots import names, snapshot
from qcaps.release import R9_0

if TYPE_CHECKING:
    from pathlib import Path

HOST_FILE = b"""<qemuCaps>
  <emulator>/opt/a &amp; b/qemu-system-x86_64</emulator>
  <qemuctime>1700000000</qemuctime>
  <qemumoddirmtime>1700000001</qemumoddirmtime>
  <selfctime>1700000002</selfctime>
  <selfvers>9000000</selfvers>
  <flag name='kvm'/>
  <flag name='no-acpi'/>
  <flag name='netdev.stream'/>
  <version>7002022</version>
  <kvmVersion>0</kvmVersion>
  <microcodeVersion>4294967295</microcodeVersion>
  <hostCPUSignature>GenuineIntel, a &quot;CPU&quot;, family: 6, model: 167, stepping: 1</hostCPUSignature>
  <package>Debian 1:7.2+dfsg-7</package>
  <kernelVersion>6.1.0-18-amd64 #1 SMP</kernelVersion>
  <cpudata arch='x86'>
    <cpuid eax_in='0x00000000' ecx_in='0x00000000' eax='0x00000024' ebx='0x756e6547'/>
  </cpudata>
  <arch>x86_64</arch>
  <hostCPU type='kvm' model='base' migratability='yes'>
    <property name='cmov' type='boolean' value='true' migratable='yes'/>
    <property name='invtsc' type='boolean' value='true' migratable='no'/>
    <property name='vendor' type='string' value='Genuine&apos;Intel'/>
    <property name='level' type='number' value='-1'/>
  </hostCPU>
  <cpu type='kvm' name='max' typename='max-x86_64-cpu' usable='yes'/>
  <cpu type='kvm' name='EPYC' typename='EPYC-x86_64-cpu' usable='no' deprecated='yes'>
    <blocker name='npt'/>
    <blocker name='sse4a'/>
  </cpu>
  <machine type='kvm' name='pc-i440fx-7.2' alias='pc' hotplugCpus='yes' maxCpus='255' default='yes' defaultCPU='qemu64-x86_64-cpu' defaultRAMid='pc.ram'/>
  <machine type='kvm' name='isapc' maxCpus='1' numaMemSupported='yes' deprecated='yes'/>
  <cpu type='tcg' name='486'/>
  <machine type='tcg' name='microvm' hotplugCpus='yes' maxCpus='288'/>
  <gic version='3' kernel='yes' emulated='yes'/>
  <sgx supported='yes'>
    <flc>no</flc>
    <sections>
      <section node='0' size='262144' unit='KiB'/>
    </sections>
  </sgx>
  <kvmSupportsNesting/>
  <kvmSupportsSecureGuest/>
</qemuCaps>
"""  # noqa: E501 - libvirt does not wrap


def test_a_host_file_comes_back_byte_for_byte() -> None:
    assert cachefile.format(cachefile.parse(HOST_FILE, "host.xml"), R9_0) == HOST_FILE


def test_every_field_of_a_host_file_is_read() -> None:
    entry = cachefile.parse(HOST_FILE, "host.xml")
    capabilities, stamps = entry.capabilities, entry.stamps
    assert stamps.binary == "/opt/a & b/qemu-system-x86_64"
    assert (stamps.binary_ctime, stamps.module_dir_mtime, stamps.self_ctime) == (
        1_700_000_000,
        1_700_000_001,
        1_700_000_002,
    )
    assert (stamps.self_version, stamps.microcode_version) == (9_000_000, 4_294_967_295)
    assert stamps.host_cpu_signature == 'GenuineIntel, a "CPU", family: 6, model: 167, stepping: 1'
    assert stamps.kernel_version == "6.1.0-18-amd64 #1 SMP"
    assert stamps.kvm_nested
    assert stamps.kvm_secure_guest
    assert stamps.binary_inode is None
    assert (capabilities.arch, capabilities.version) == ("x86_64", 7_002_022)
    assert capabilities.flags == {"kvm", "no-acpi", "netdev.stream"}
    assert "kvm" in capabilities
    assert "vxhs" not in capabilities
    kvm, tcg = capabilities.accelerators
    assert [cpu.usable for cpu in kvm.cpus + tcg.cpus] == [True, False, None]
    assert kvm.cpus[1].blockers == ("npt", "sse4a")
    assert kvm.cpus[1].deprecated
    assert kvm.host_cpu is not None
    assert kvm.host_cpu.properties[1] == CpuProperty("invtsc", "boolean", "true", migratable=False)
    machine = capabilities.machine("pc")
    assert machine is not None
    assert (machine.name, machine.max_cpus, machine.default_ram_id) == ("pc-i440fx-7.2", 255, "pc.ram")
    assert capabilities.machine("microvm", "kvm") is None
    assert capabilities.machine("microvm", "qemu") is not None
    assert [element.split()[0] for element in capabilities.rest] == [b"<cpudata", b"<gic", b"<sgx"]


@pytest.mark.parametrize("arch", names())
def test_a_snapshot_survives_the_round_trip(arch: str) -> None:
    entry = snapshot(arch)
    assert cachefile.parse(cachefile.format(entry), arch) == entry


def test_flags_that_libvirt_9_does_not_know_are_kept_behind_the_others() -> None:
    entry = cachefile.parse(HOST_FILE.replace(b"'no-acpi'", b"'a-flag-of-tomorrow'"), "host.xml")
    assert flags.in_order(entry.capabilities.flags) == ["kvm", "netdev.stream", "a-flag-of-tomorrow"]
    assert cachefile.parse(cachefile.format(entry), "again.xml") == entry


def test_what_is_missing_from_an_older_file_is_none() -> None:
    lines = [line for line in HOST_FILE.splitlines() if b"moddir" not in line and b"Signature" not in line]
    stamps = cachefile.parse(b"\n".join(lines), "older.xml").stamps
    assert stamps.module_dir_mtime is None
    assert stamps.host_cpu_signature is None


BOMB = (
    b'<!DOCTYPE qemuCaps [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">'
    b'<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]><qemuCaps><arch>&c;</arch></qemuCaps>'
)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (HOST_FILE[: len(HOST_FILE) // 2], r"bad.xml:\d+: not well-formed XML: "),
        (b"", "bad.xml:1: not well-formed XML: "),
        (b"\x7fELF\x02\x01\x01", "bad.xml:1: not well-formed XML: "),
        (b"<domain type='kvm'/>", "bad.xml:1: expected <qemuCaps>, found <domain>"),
        (b"<qemuCaps/>", "bad.xml:1: <qemuCaps> lacks <arch>"),
        (BOMB, "bad.xml:1: has a document type"),
        (BOMB.decode().encode("utf-16"), "bad.xml:"),
        (HOST_FILE.replace(b"7002022", b"9" * 5000), "bad.xml:10: <version> is '9999"),
        (HOST_FILE.replace(b"<qemuctime>1", b"<qemuctime>-1"), "bad.xml:3: <qemuctime> is '-17"),
        (HOST_FILE.replace(b"maxCpus='1'", b"maxCpus='many'"), "bad.xml:32: <machine> has maxCpus='many'"),
        (HOST_FILE.replace(b"cpu type='tcg'", b"cpu type='xen'"), "bad.xml:33: <cpu> has type 'xen'"),
        (HOST_FILE.replace(b"<blocker name='npt'/>", b"<blocker/>"), "bad.xml:27: <cpu> has a <blocker>"),
        (HOST_FILE.replace(b"type='number'", b"type='complex'"), "bad.xml:24: <property> has type 'complex'"),
        (
            HOST_FILE.replace(b"<flag name='kvm'/>", b"<flag/>"),
            "bad.xml:7: <flag> lacks the attribute 'name'",
        ),
        (HOST_FILE.replace(b"<arch>", b"<arch>i686</arch><arch>"), "bad.xml:19: <arch> occurs twice"),
    ],
)
def test_what_is_no_cache_file_is_refused_in_one_line(data: bytes, message: str) -> None:
    with pytest.raises(CacheFileError, match=message) as caught:
        cachefile.parse(data, "bad.xml")
    assert "\n" not in str(caught.value)


def test_a_huge_file_is_refused_before_it_is_parsed(tmp_path: Path) -> None:
    path = tmp_path / "huge.xml"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(CacheFileError, match="larger than 16 MiB"):
        cachefile.read(path)


def test_a_missing_file_and_a_directory_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        CacheFileError, match=r"no\.xml: cannot read the capabilities cache file: No such file"
    ):
        cachefile.read(tmp_path / "no.xml")
    with pytest.raises(CacheFileError, match="Is a directory"):
        cachefile.read(tmp_path)


def test_write_replaces_the_file_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "caps.xml"
    path.write_text("old")
    entry = snapshot("s390x")
    before = path.stat().st_ino
    cachefile.write(path, entry)
    assert cachefile.read(path) == entry
    assert path.stat().st_ino != before
    assert list(tmp_path.iterdir()) == [path]


def test_write_into_a_missing_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CacheFileError, match=r"nowhere/caps.xml: cannot be written: No such file"):
        cachefile.write(tmp_path / "nowhere" / "caps.xml", snapshot("s390x"))


def test_a_full_disk_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "caps.xml"
    path.write_text("old")
    program = (
        "import sys; from qcaps.capabilities import cachefile, snapshots\n"
        "try: cachefile.write(sys.argv[1], snapshots.snapshot('x86_64'))\n"
        "except cachefile.CacheFileError as error: sys.exit(str(error))\n"
    )

    def room_for_little() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    done = subprocess.run(
        [sys.executable, "-B", "-c", program, str(path)],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=room_for_little,  # a file size limit stands for a full disk
    )
    assert done.returncode == 1
    assert "caps.xml: cannot be written: File too large" in done.stderr
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
