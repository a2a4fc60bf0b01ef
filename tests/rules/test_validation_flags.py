"""Each rule about a capability flag: accepted by the recorded QEMU, refused once the flag is taken away."""

# ruff: noqa: E501  # a table has a rule a line

from __future__ import annotations

import pytest

from qcaps.capabilities.snapshots import snapshot
from qcaps.rules.refusal import Refused
from tests.support.validating import define, domain

CELL = "<cpu><numa><cell id='0' cpus='0-1' memory='1048576'/></numa></cpu>"
PLUGGABLE = CELL + "<maxMemory slots='2'>4194304</maxMemory>"
SHARED = "<memoryBacking><access mode='shared'/></memoryBacking>"
ACPI = "<features><acpi/></features>"
FILE = "<source file='/d'/><target dev='vda' bus='virtio'/>"
SCSI = "<source file='/d'/><target dev='sda' bus='scsi'/>"
MDEV = "<hostdev mode='subsystem' type='mdev' model='vfio-pci'{}><source><address uuid='53764d0e-85a0-42b4-af5c-2046b460b1dc'/></source></hostdev>"
BRIDGE = "<controller type='pci' model='{}' index='1'/>"
PC, Q35 = "pc", "q35"

DEVICES = [
    ("vhost-user-blk", PC, SHARED, "<disk type='vhostuser'><source type='unix' path='/s'/><target dev='vda'/></disk>"),
    ("virtio-blk.queue-size", PC, "", "<disk><driver queue_size='256'/>" + FILE + "</disk>"),
    ("aio.io_uring", PC, "", "<disk><driver io='io_uring'/>" + FILE + "</disk>"),
    ("rotation-rate", PC, "", "<disk><source file='/d'/><target dev='sda' bus='scsi' rotation_rate='7200'/></disk>"),
    ("scsi-block", PC, "", "<disk type='block' device='lun'><source dev='/d'/><target dev='sda' bus='scsi'/></disk>"),
    ("scsi-disk.wwn", PC, "", "<disk>" + SCSI + "<vendor>v</vendor></disk>"),
    ("usb-storage", PC, "", "<disk><source file='/d'/><target dev='sda' bus='usb'/></disk>"),
    ("usb-storage.removable", PC, "", "<disk><source file='/d'/><target dev='sda' bus='usb' removable='on'/></disk>"),
    ("pr-manager-helper", PC, "", "<disk type='block' device='lun'><source dev='/d'><reservations managed='yes'/></source><target dev='sda' bus='scsi'/></disk>"),
    ("blockdev.nbd.tls-hostname", PC, "", "<disk type='network'><source protocol='nbd' tls='yes' tlsHostname='h'><host name='i'/></source><target dev='vda'/></disk>"),
    ("lsi", PC, "", "<controller type='scsi' model='lsilogic'/>"),
    ("virtio-scsi-pci", PC, "", "<controller type='scsi' model='virtio-scsi'/>"),
    ("mptsas1068", PC, "", "<controller type='scsi' model='lsisas1068'/>"),
    ("megasas", PC, "", "<controller type='scsi' model='lsisas1078'/>"),
    ("pvscsi", PC, "", "<controller type='scsi' model='vmpvscsi'/>"),
    ("ich9-ahci", PC, "", "<controller type='sata'/>"),
    ("pci-bridge", PC, "", BRIDGE.format("pci-bridge")),
    ("dmi-to-pci-bridge", Q35, "", BRIDGE.format("dmi-to-pci-bridge")),
    ("pcie-pci-bridge", Q35, "", "<controller type='pci' model='pcie-root-port' index='1'/><controller type='pci' model='pcie-to-pci-bridge' index='2'/>"),
    ("x3130-upstream", Q35, "", "<controller type='pci' model='pcie-root-port' index='1'/><controller type='pci' model='pcie-switch-upstream-port' index='2'/>"),
    ("pxb", PC, "", BRIDGE.format("pci-expander-bus")),
    ("pxb-pcie", Q35, "", BRIDGE.format("pcie-expander-bus")),
    ("pcie-root-port.hotplug", Q35, "", "<controller type='pci' model='pcie-root-port' index='1'><target hotplug='off'/></controller>"),
    ("piix4.acpi-root-pci-hotplug", PC, "", "<controller type='pci' model='pci-root' index='0'><target hotplug='off'/></controller>"),
    ("acpi-index", Q35, "", "<interface type='user'><acpi index='1'/></interface>"),
    ("netdev.vhost-vdpa", PC, "", "<interface type='vdpa'><source dev='/dev/v'/></interface>"),
    ("virtio-net.rss", PC, "", "<interface type='user'><model type='virtio'/><driver rss='on'/></interface>"),
    ("chardev.qemu-vdagent", PC, "", "<channel type='qemu-vdagent'><target type='virtio' name='com.redhat.spice.0'/></channel>"),
    ("ccid-emulated", PC, "", "<smartcard mode='host'/>"),
    ("ccid-passthru", PC, "", "<smartcard mode='passthrough' type='tcp'><source host='h' service='1'/></smartcard>"),
    ("rng-random", PC, "", "<rng model='virtio'><backend model='random'>/dev/random</backend></rng>"),
    ("rng-egd", PC, "", "<rng model='virtio'><backend model='egd' type='unix'><source path='/s'/></backend></rng>"),
    ("rng-builtin", PC, "", "<rng model='virtio'><backend model='builtin'/></rng>"),
    ("virtio-rng", PC, "", "<rng model='virtio'><backend model='builtin'/></rng>"),
    ("usb-redir", PC, "", "<redirdev bus='usb' type='tcp'><source host='h' service='1'/></redirdev>"),
    ("usb-redir.filter", PC, "", "<redirdev bus='usb' type='tcp'><source host='h' service='1'/></redirdev><redirfilter><usbdev allow='yes'/></redirfilter>"),
    ("vfio-pci", PC, "", "<hostdev mode='subsystem' type='pci'><driver name='vfio'/><source><address bus='6'/></source></hostdev>"),
    ("vfio-pci.display", PC, "", MDEV.format(" display='off'")),
    ("vhost-scsi", PC, "", "<hostdev mode='subsystem' type='scsi_host'><source protocol='vhost' wwpn='naa.5123456789abcde0'/></hostdev>"),
    ("usb-host.guest-resets-all", PC, "", "<hostdev mode='subsystem' type='usb'><source guestReset='off'><vendor id='1'/><product id='2'/></source></hostdev>"),
    ("VGA", PC, "", "<video><model type='vga'/></video>"),
    ("cirrus-vga", PC, "", "<video><model type='cirrus'/></video>"),
    ("vmware-svga", PC, "", "<video><model type='vmvga'/></video>"),
    ("qxl", PC, "", "<video><model type='qxl'/></video>"),
    ("virtio-gpu", PC, "", "<video><model type='virtio'/></video>"),
    ("bochs-display", PC, "", "<video><model type='bochs'/></video>"),
    ("ramfb", PC, "", "<video><model type='ramfb'/></video>"),
    ("vhost-user-gpu", PC, "", "<video><driver name='vhostuser'/><model type='virtio'/></video>"),
    ("sdl", PC, "", "<graphics type='sdl'/>"),
    ("vnc", PC, "", "<graphics type='vnc'/>"),
    ("spice", PC, "", "<graphics type='spice'/>"),
    ("egl-headless", PC, "", "<graphics type='egl-headless'/>"),
    ("display-dbus", PC, "", "<graphics type='dbus'/>"),
    ("spice-gl", PC, "", "<graphics type='spice'><gl enable='yes'/></graphics>"),
    ("spice-rendernode", PC, "", "<graphics type='spice'><gl enable='yes' rendernode='/r'/></graphics>"),
    ("egl-headless.rendernode", PC, "", "<graphics type='egl-headless'><gl rendernode='/r'/></graphics>"),
    ("vnc-power-control", PC, "", "<graphics type='vnc' powerControl='yes'/>"),
    ("fsdev.multidevs", PC, "", "<filesystem multidevs='remap'><source dir='/d'/><target dir='t'/></filesystem>"),
    ("vhost-user-fs", PC, SHARED, "<filesystem><driver type='virtiofs'/><source dir='/d'/><target dir='t'/></filesystem>"),
    ("vhost-user-fs.bootindex", PC, SHARED, "<filesystem><driver type='virtiofs'/><source dir='/d'/><target dir='t'/><boot order='1'/></filesystem>"),
    ("usb-audio", PC, "", "<sound model='usb'/>"),
    ("ich9-intel-hda", PC, "", "<sound model='ich9'/>"),
    ("hda-micro", PC, "", "<sound model='ich6'><codec type='micro'/></sound>"),
    ("vhost-vsock", PC, "", "<vsock model='virtio'><cid auto='yes'/></vsock>"),
    ("tpm-passthrough", PC, "", "<tpm model='tpm-tis'><backend type='passthrough'/></tpm>"),
    ("tpm-crb", PC, "", "<tpm model='tpm-crb'><backend type='passthrough'/></tpm>"),
    ("usb-kbd", PC, "", "<input type='keyboard' bus='usb'/>"),
    ("virtio-tablet", PC, "", "<input type='tablet' bus='virtio'/>"),
    ("virtio-input-host", PC, "", "<input type='passthrough' bus='virtio'><source evdev='/e'/></input>"),
    ("virtio-balloon-pci.deflate-on-oom", PC, "", "<memballoon model='virtio' autodeflate='on'/>"),
    ("virtio-balloon.free-page-reporting", PC, "", "<memballoon model='virtio' freePageReporting='on'/>"),
    ("intel-iommu", Q35, "", "<iommu model='intel'/>"),
    ("intel-iommu.device-iotlb", Q35, "", "<iommu model='intel'><driver iotlb='on'/></iommu>"),
    ("intel-iommu.aw-bits", Q35, "", "<iommu model='intel'><driver aw_bits='48'/></iommu>"),
    ("virtio-iommu-pci", Q35, ACPI, "<iommu model='virtio'/>"),
    ("virtio-iommu.boot-bypass", Q35, ACPI, "<iommu model='virtio'/>"),
    ("usb-hub", PC, "", "<hub type='usb'/>"),
    ("pvpanic", PC, "", "<panic model='isa'/>"),
    ("ivshmem-plain", PC, "", "<shmem name='s'><model type='ivshmem-plain'/></shmem>"),
    ("ivshmem-doorbell", PC, "", "<shmem name='s'><model type='ivshmem-doorbell'/><server path='/s'/></shmem>"),
    ("pc-dimm", PC, PLUGGABLE, "<memory model='dimm'><target><size>131072</size><node>0</node></target></memory>"),
    ("nvdimm", PC, PLUGGABLE, "<memory model='nvdimm'><source><path>/p</path></source><target><size>524288</size><node>0</node></target></memory>"),
    ("nvdimm.unarmed", PC, PLUGGABLE, "<memory model='nvdimm'><source><path>/p</path></source><target><size>524288</size><node>0</node><readonly/></target></memory>"),
    ("virtio-pmem-pci", PC, PLUGGABLE, "<memory model='virtio-pmem' access='shared'><source><path>/p</path></source><target><size>524288</size></target></memory>"),
    ("virtio-mem-pci", PC, PLUGGABLE, "<memory model='virtio-mem'><target><size>131072</size><node>0</node><block>2048</block><requested>0</requested></target></memory>"),
]  # fmt: skip
"""Flag, machine, elements beside `<devices>`, devices."""

DOMAINS = [
    ("tcg", PC, "", ""),
    ("vmgenid", PC, "<genid/>", ""),
    ("vmcoreinfo", PC, "<features><vmcoreinfo/></features>", ""),
    ("machine-vmport-opt", PC, "<features><vmport state='off'/></features>", ""),
    ("cpu-max", PC, "<cpu mode='maximum'/>", ""),
    ("no-hpet", PC, "<clock offset='utc'><timer name='hpet' present='yes'/></clock>", ""),
    ("kvm-pit-lost-tick-policy", PC, "<clock offset='utc'><timer name='pit' tickpolicy='catchup'/></clock>", ""),
    ("iothread.thread-pool-max", PC, "<iothreadids><iothread id='1' thread_pool_max='8'/></iothreadids>", ""),
    ("memory-backend-memfd.hugetlb", PC, "<memoryBacking><hugepages/><source type='memfd'/></memoryBacking>", ""),
    ("memory-backend-file.prealloc-threads", PC, "<memoryBacking><hugepages/><allocation mode='immediate' threads='4'/></memoryBacking>", ""),
    ("numa.hmat", PC, "<cpu><numa><cell id='0' cpus='0-1' memory='1048576'/><interconnects><latency initiator='0' target='0' type='access' value='5'/></interconnects></numa></cpu>", ""),
    ("disable-s3", PC, "<pm><suspend-to-mem enabled='no'/></pm>", ""),
]  # fmt: skip

OTHER_ARCHES = [
    ("s390x", "s390-sclp", "s390-ccw-virtio", "<console type='pty'><target type='sclp'/></console>"),
    ("s390x", "virtio-keyboard-ccw", "s390-ccw-virtio", "<input type='keyboard' bus='virtio'><address type='ccw' cssid='0xfe' ssid='0' devno='0x10'/></input>"),
    ("s390x", "vfio-ccw", "s390-ccw-virtio", "<hostdev mode='subsystem' type='mdev' model='vfio-ccw'><source><address uuid='53764d0e-85a0-42b4-af5c-2046b460b1dc'/></source></hostdev>"),
    ("s390x", "vfio-ap", "s390-ccw-virtio", "<hostdev mode='subsystem' type='mdev' model='vfio-ap'><source><address uuid='53764d0e-85a0-42b4-af5c-2046b460b1dc'/></source></hostdev>"),
    ("s390x", "zpci", "s390-ccw-virtio", "<interface type='user'><model type='virtio'/><address type='pci'><zpci uid='0x1' fid='0x1'/></address></interface>"),
    ("aarch64", "machine.virt.iommu", "virt", "<iommu model='smmuv3'/>"),
    ("ppc64", "spapr-pci-host-bridge", "pseries", "<controller type='pci' model='pci-root' index='0'/>"),
    ("ppc64", "nvram", "pseries", "<nvram><address type='spapr-vio' reg='0x3000'/></nvram>"),
]  # fmt: skip


def _check(xml: str, flag: str, arch: str) -> None:
    assert flag in snapshot(arch).capabilities
    define(xml, arch=arch)
    with pytest.raises(Refused):
        define(xml, arch=arch, without=flag)


@pytest.mark.parametrize(
    ("flag", "machine", "head", "devices"), DEVICES + DOMAINS, ids=[row[0] for row in DEVICES + DOMAINS]
)
def test_without_its_flag_it_is_refused(flag: str, machine: str, head: str, devices: str) -> None:
    _check(domain(devices, machine=machine, head=head), flag, "x86_64")


@pytest.mark.parametrize(
    ("arch", "flag", "machine", "devices"), OTHER_ARCHES, ids=[f"{row[0]} {row[1]}" for row in OTHER_ARCHES]
)
def test_without_its_flag_it_is_refused_on_other_architectures(
    arch: str, flag: str, machine: str, devices: str
) -> None:
    _check(domain(devices, machine=machine, arch=arch), flag, arch)


@pytest.mark.parametrize("arch", ["s390x", "aarch64", "ppc64"])
def test_an_empty_domain_of_another_architecture_is_accepted(arch: str) -> None:
    machine = {"s390x": "s390-ccw-virtio", "aarch64": "virt", "ppc64": "pseries"}[arch]
    define(domain(machine=machine, arch=arch), arch=arch)


@pytest.mark.parametrize(
    ("arch", "runs_on", "machine"), [("i686", "x86_64", "pc"), ("armv7l", "aarch64", "virt")]
)
def test_a_32_bit_guest_runs_on_the_64_bit_emulator(arch: str, runs_on: str, machine: str) -> None:
    draft = define(domain(head=f"<os><type arch='{arch}' machine='{machine}'>hvm</type></os>"), arch=runs_on)
    assert draft.domain.machine != machine


@pytest.mark.parametrize(
    ("flag", "head"),
    [
        ("sev-guest", "<launchSecurity type='sev'><policy>0x1</policy></launchSecurity>"),
        ("s390-pv-guest", "<launchSecurity type='s390-pv'/>"),
    ],
)
def test_an_encrypted_guest_needs_a_host_for_it(flag: str, head: str) -> None:
    assert flag not in snapshot("x86_64").capabilities
    with pytest.raises(Refused, match="not supported by this QEMU"):
        define(domain(head=head))
