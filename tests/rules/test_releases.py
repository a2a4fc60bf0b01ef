"""What a release changed: each rule as it was before, and as it is since."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import pytest

from qcaps.capabilities.flag_rules import dropped
from qcaps.capabilities.granted import granted_by
from qcaps.capabilities.snapshots import snapshot
from qcaps.driver.reference import reference
from qcaps.errors import QcapsError
from qcaps.release import R9_0, R11_3, R12_8, Release

if TYPE_CHECKING:
    from pathlib import Path

    from qcaps.driver.driver import QemuDriver

SCSI = "<disk type='file'><source file='/a'/><target dev='sd{}' bus='scsi'/></disk>"
USB = "<disk type='file' device='{}'>{}<target dev='sdu' bus='usb'/></disk>"
IMAGE = "<source file='/a'/>"
HYPERV = "<features><hyperv>{}</hyperv></features>"
CLOCK = "<clock offset='utc'><timer name='hypervclock' present='yes'/></clock>"
ACPI = "<features><acpi/></features>"
FLASH = "<loader type='pflash' readonly='yes'>{}</loader>"
VHOSTUSER = (
    "<interface type='vhostuser'><source type='unix' path='/s' mode='server'/>"
    "<model type='virtio'/></interface>"
)


def domain(devices: str = "", *, head: str = "", os: str = "", machine: str = "pc") -> str:
    return (
        f"<domain type='kvm'><name>t</name><memory>1048576</memory>{head}"
        f"<os><type arch='x86_64' machine='{machine}'>hvm</type>{os}</os>"
        f"<devices><emulator>/usr/bin/qemu-system-x86_64</emulator>{devices}</devices></domain>"
    )


class Change(NamedTuple):
    """A domain, and a pattern of what it becomes (or why it is refused) before and since a release."""

    name: str
    xml: str
    since: Release
    before: str
    after: str


def refused(why: str) -> str:
    return f"refused: .*{why}"


NOTHING = "^(?!.*{})"

CHANGES = [
    Change(
        "itco",
        domain(machine="q35"),
        R11_3,
        NOTHING.format("watchdog"),
        "<watchdog model='itco' action='reset'/>",
    ),
    Change(
        "clusters",
        domain(head="<cpu><topology sockets='1' cores='1' threads='1'/></cpu>"),
        R11_3,
        "dies='1' cores='1'",
        "dies='1' clusters='1' cores='1'",
    ),
    Change(
        "loader",
        domain(head=ACPI, os=FLASH.format("/usr/share/OVMF/OVMF_CODE.fd")),
        R11_3,
        "<nvram>/var/lib/libvirt/qemu/nvram/t_VARS.fd",
        "format='raw'>/usr/share/OVMF/OVMF_CODE.fd</loader>.*"
        "<nvram template='/usr/share/OVMF/OVMF_VARS.fd' templateFormat='raw' format='raw'>",
    ),
    Change(
        "own loader",
        domain(head=ACPI, os=FLASH.format("/f")),
        R11_3,
        "'>/f</loader>",
        "format='raw'>/f</loader>",
    ),
    Change(
        "a ROM's format",
        domain(os="<loader type='rom'>/f</loader>"),
        R12_8,
        "type='rom'>/f",
        "format='raw'>/f",
    ),
    Change(
        "chosen firmware",
        domain(head=ACPI).replace("<os>", "<os firmware='efi'>"),
        R11_3,
        "<os firmware='efi'>",
        refused("no firmware 'efi' is described"),
    ),
    Change(
        "stateless='no'",
        domain(os="<loader stateless='no'>/f</loader>"),
        R12_8,
        refused("needs a loader of type 'pflash'"),
        "stateless='no'",
    ),
    Change(
        "variables of a loader that can be written",
        domain(head=ACPI, os="<loader type='pflash' readonly='no'>/f</loader><nvram>/v</nvram>"),
        R12_8,
        "/v</nvram>",
        refused("keeps its variables itself"),
    ),
    Change(
        "a channel's path",
        domain(
            "<channel type='unix'><source path='/srv/channel/domain-t/x'/>"
            "<target type='virtio' name='x'/></channel>"
        ),
        R11_3,
        NOTHING.format("/srv/channel"),
        "path='/srv/channel/domain-t/x'",
    ),
    Change("dropped flags", domain(head="<pm><suspend-to-mem enabled='no'/></pm>"), R11_3, "<pm>", "<pm>"),
    Change(
        "a node for memory to come",
        domain(head="<maxMemory slots='2' unit='GiB'>4</maxMemory>"),
        R11_3,
        refused("at least one NUMA node"),
        "<cell id='0' cpus='0' memory='1048576' unit='KiB'/>",
    ),
    Change(
        "consoles beside the serial port's",
        domain("<serial type='pty'/><console type='pty'><target type='virtio'/></console>"),
        R11_3,
        "<target type='virtio' port='0'/>",
        "<target type='virtio' port='1'/>",
    ),
    Change(
        "address bits",
        domain(head="<cpu mode='host-passthrough'><maxphysaddr mode='emulate'/></cpu>"),
        R11_3,
        refused("needs bits"),
        "<maxphysaddr mode='emulate'/>",
    ),
    Change(
        "passt",
        domain("<interface type='user'><backend type='passt'/></interface>"),
        R11_3,
        refused("left out of this libvirt"),
        "<backend type='passt'/>",
    ),
    Change("vhost-user memory", domain(VHOSTUSER), R11_3, "type='vhostuser'", refused("needs shared memory")),
    Change(
        "an empty USB disk",
        domain(USB.format("cdrom", "")),
        R11_3,
        "bus='usb'",
        refused("cannot be empty|^$|usb-bot"),
    ),
    Change(
        "SCSI controllers alike",
        domain("<controller type='scsi' index='0' model='virtio-scsi'/>" + SCSI.format("k")),
        R12_8,
        "index='1' model='lsilogic'",
        "index='1' model='virtio-scsi'",
    ),
    Change(
        "added controllers in order",
        domain("<controller type='scsi' index='0'/>" + SCSI.format("k")),
        R11_3,
        "type='usb'.*type='scsi' index='1'",
        "type='scsi' index='1'.*type='usb'",
    ),
    Change(
        "a USB disk's model",
        domain(USB.format("disk", IMAGE)),
        R12_8,
        "device='disk'>",
        "model='usb-storage'>",
    ),
    Change(
        "a card's device",
        domain("<video><model type='virtio'/></video><video><model type='virtio'/></video>"),
        R12_8,
        NOTHING.format("device='virtio"),
        "device='virtio-vga'.*device='virtio-gpu'",
    ),
    Change(
        "enlightenments",
        domain(head=HYPERV.format("<stimer state='on'/>")),
        R12_8,
        "<stimer",
        refused("hypervclock"),
    ),
    Change(
        "enlightenments that need another",
        domain(head=HYPERV.format("<stimer state='on'/>") + CLOCK),
        R12_8,
        "<stimer",
        refused("'stimer' needs 'synic'"),
    ),
    Change(
        "listeners",
        domain("<graphics type='vnc'><listen type='address'/><listen type='address'/></graphics>"),
        R12_8,
        "<graphics",
        refused("several places"),
    ),
    Change(
        "driver 'handle'",
        domain("<filesystem><driver type='handle'/><source dir='/a'/><target dir='a'/></filesystem>"),
        R12_8,
        "type='handle'",
        refused("no filesystem driver 'handle'"),
    ),
    Change(
        "many CPUs",
        domain(head="<vcpu>256</vcpu>", machine="q35"),
        R11_3,
        refused("need an I/O MMU"),
        "<ioapic driver='qemu'/>.*<iommu model='intel'>.*intremap='on' eim='on'",
    ),
    Change(
        "slots",
        domain(
            "<memory model='virtio-pmem' access='shared'><source><path>/p</path></source>"
            "<target><size unit='MiB'>256</size></target></memory>",
            head="<maxMemory unit='GiB'>4</maxMemory>"
            "<cpu><numa><cell id='0' cpus='0' memory='524288'/></numa></cpu>",
        ),
        R11_3,
        refused("a number of slots"),
        "model='virtio-pmem'",
    ),
    Change(
        "removable SCSI disks",
        domain(SCSI.format("a").replace("bus='scsi'", "bus='scsi' removable='on'")),
        R11_3,
        refused("removable is for bus 'usb'"),
        "bus='scsi'",
    ),
    Change(
        "a SATA disk's product",
        domain(SCSI.format("a").replace("scsi'/>", "sata'/><product>x</product>"), machine="q35"),
        R11_3,
        refused("vendor and product are for bus 'scsi'"),
        "<product>x</product>",
    ),
    Change(
        "sizes of shared memory",
        domain("<shmem name='s'><model type='ivshmem-plain'/><size unit='M'>3</size></shmem>"),
        R11_3,
        "<shmem",
        refused("a power of two"),
    ),
    Change(
        "forwarded ports",
        domain(
            "<interface type='user'><portForward proto='tcp'><range start='1'/></portForward></interface>"
        ),
        R11_3,
        "<interface",
        refused("needs the backend 'passt'"),
    ),
    Change(
        "restrictive nodes",
        domain(
            head="<numatune><memnode cellid='0' mode='restrictive' nodeset='0'/></numatune>"
            "<cpu><numa><cell id='0' cpus='0' memory='1048576'/></numa></cpu>"
        ),
        R11_3,
        "restrictive",
        refused("needs the same of <memory>"),
    ),
    Change(
        "protocols of a serial port",
        domain(
            "<serial type='tcp'><source mode='connect' host='h' service='1'/><protocol type='tls'/></serial>"
        ),
        R11_3,
        "<protocol type='tls'/>",
        refused("no protocol 'tls'"),
    ),
    Change(
        "a panic device on PCI",
        domain("<panic model='pvpanic'/>"),
        R11_3,
        refused("not one of"),
        "'pvpanic'>",
    ),
    Change(
        "PipeWire", domain("<audio id='1' type='pipewire'/>"), R11_3, refused("not one of"), "'pipewire'/>"
    ),
    Change(
        "no PS/2",
        domain(head="<features><ps2 state='off'/></features>"),
        R11_3,
        refused("is no word libvirt 9.0.0 knows"),
        NOTHING.format("type='mouse'"),
    ),
    Change(
        "sheepdog",
        domain(
            "<disk type='network'><source protocol='sheepdog' name='i'/>"
            "<target dev='vda' bus='virtio'/></disk>"
        ),
        R11_3,
        "sheepdog",
        refused("'sheepdog' any more"),
    ),
    Change(
        "vxhs",
        domain(
            "<disk type='network'><source protocol='vxhs' name='i'><host name='h'/></source>"
            "<target dev='vda' bus='virtio'/></disk>"
        ),
        R12_8,
        "vxhs",
        refused("no protocol 'vxhs'"),
    ),
]


def made(driver: QemuDriver, xml: str) -> str:
    try:
        done = driver.define(xml.encode())
    except QcapsError as error:
        return f"refused: {error}"
    driver.undefine(done.domain.name)
    return done.xml


@pytest.fixture(scope="module")
def drivers(tmp_path_factory: pytest.TempPathFactory) -> dict[Release, QemuDriver]:
    return {
        release: reference(
            tmp_path_factory.mktemp(f"r{release.major}"), policy="naive", validity="trust", release=release
        )
        for release in (R9_0, R11_3, R12_8)
    }


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.name)
def test_a_rule_holds_since_its_release(drivers: dict[Release, QemuDriver], change: Change) -> None:
    for release, driver in drivers.items():
        expected = change.after if release >= change.since else change.before
        text = made(driver, change.xml)
        assert re.search(expected, text, re.DOTALL), f"{release}: {text}"


def test_what_libvirt_made_under_a_release_it_reads_again(tmp_path: Path) -> None:
    for release in (R11_3, R12_8):
        driver = reference(tmp_path / str(release), policy="stock", validity="trust", release=release)
        xml = domain(USB.format("disk", IMAGE) + "<video><model type='virtio'/></video>", machine="q35")
        first = driver.define(xml.encode())
        assert driver.define(first.xml.encode()).xml == first.xml
        assert driver.start("t").lookups == 1


def test_flags_that_a_release_dropped_are_granted() -> None:
    bare = snapshot("x86_64").capabilities
    bare = type(bare)(arch=bare.arch, version=bare.version, accelerators=bare.accelerators)
    assert granted_by(bare, R9_0) is bare
    assert granted_by(bare, R11_3).flags == dropped(R11_3, "x86_64")
    assert granted_by(bare, R12_8).flags > granted_by(bare, R11_3).flags
    assert "aes-key-wrap" in granted_by(snapshot("s390x").capabilities, R12_8)
    assert len(granted_by(bare, R12_8).flags) == 27
