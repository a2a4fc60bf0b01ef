"""Every device kind there is, and n virtio disks beside."""

from collections.abc import Iterator
from random import Random

from ._parts import CONSOLE, DATA, RNG, TABLET, VIDEO, VNC, cdrom, channel, disk, nic

SUMMARY = "one of every device kind a PC may have, and n virtio disks"
LARGEST = {"q35": 200, "pc": 46}
HEADER = """\
  <maxMemory slots='4' unit='KiB'>1048576</maxMemory>
  <cpu>
    <numa>
      <cell id='0' cpus='0' memory='262144' unit='KiB'/>
    </numa>
  </cpu>
  <features>
    <acpi/>
    <apic/>
  </features>
"""

_ONE_OF_EACH = (
    f"""\
<filesystem type='mount' accessmode='passthrough'>
  <source dir='{DATA}/share'/>
  <target dir='share'/>
</filesystem>""",
    "<controller type='scsi' index='0' model='virtio-scsi'/>",
    """\
<hostdev mode='subsystem' type='pci' managed='yes'>
  <driver name='vfio'/>
  <source>
    <address domain='0x0000' bus='0x06' slot='0x12' function='0x5'/>
  </source>
</hostdev>""",
    TABLET,
    "<input type='keyboard' bus='virtio'/>",
    VNC,
    VIDEO,
    "<sound model='ich6'/>",
    "<audio id='1' type='none'/>",
    CONSOLE,
    f"<parallel type='file'>\n  <source path='{DATA}/printer'/>\n</parallel>",
    "<smartcard mode='host'/>",
    """\
<redirdev bus='usb' type='tcp'>
  <source mode='connect' host='localhost' service='4000'/>
  <protocol type='raw'/>
</redirdev>""",
    "<redirfilter>\n  <usbdev allow='yes'/>\n</redirfilter>",
    "<hub type='usb'/>",
    """\
<tpm model='tpm-tis'>
  <backend type='passthrough'>
    <device path='/dev/tpm0'/>
  </backend>
</tpm>""",
    RNG,
    "<panic model='isa'/>",
    "<memballoon model='virtio'/>",
    "<watchdog model='i6300esb' action='reset'/>",
    "<shmem name='shared'>\n  <model type='ivshmem-plain'/>\n  <size unit='M'>4</size>\n</shmem>",
    f"""\
<lease>
  <lockspace>space</lockspace>
  <key>key</key>
  <target path='{DATA}/lease'/>
</lease>""",
    """\
<memory model='dimm'>
  <target>
    <size unit='KiB'>131072</size>
    <node>0</node>
  </target>
</memory>""",
    "<vsock model='virtio'>\n  <cid auto='no' address='3'/>\n</vsock>",
)


def devices(n: int, machine: str, random: Random) -> Iterator[str]:
    """All kinds but nvram (pseries only); an IOMMU only where the machine has one."""
    del random
    yield cdrom("hda", "ide") if machine == "pc" else cdrom("sda", "sata")
    yield nic(0, model="e1000")
    yield channel(0)
    yield from _ONE_OF_EACH
    if machine == "q35":
        yield "<iommu model='intel'/>"
    yield from (disk(index) for index in range(n))
