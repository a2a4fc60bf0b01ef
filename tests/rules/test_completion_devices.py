"""What post-parse makes of devices, kind by kind."""

# ruff: noqa: E501  # XML is easier to compare on one line

from __future__ import annotations

import re

import pytest

from qcaps.capabilities.snapshots import snapshot
from qcaps.domainxml.devices import (
    Audio,
    Channel,
    Console,
    Controller,
    Disk,
    Filesystem,
    Graphics,
    Hostdev,
    Input,
    Interface,
    Memory,
    Parallel,
    Redirdev,
    Redirfilter,
    Rng,
    Serial,
    Shmem,
    Smartcard,
    Sound,
    Tpm,
    Video,
    Vsock,
    Watchdog,
)
from qcaps.domainxml.document import parse_device
from qcaps.rules.definition.completion.post_parse import post_parse_device
from qcaps.rules.refusal import Refused
from tests.support.completing import completed, only, shown

RAW = "<driver name='qemu' type='raw'/>"
PLACE = "<address type='drive' controller='{}' bus='{}' target='0' unit='{}'/>"

# as written → as libvirt keeps it, on a pc
DISKS = {
    "<disk><target dev='hdd'/></disk>": (
        f"<disk type='file' device='disk'>{RAW}<target dev='hdd' bus='ide'/>{PLACE.format(0, 1, 1)}</disk>"
    ),
    "<disk device='cdrom' type='network'><target dev='sdh' bus='sata'/></disk>": (
        f"<disk type='file' device='cdrom'>{RAW}<target dev='sdh' bus='sata'/><readonly/>{PLACE.format(1, 0, 1)}</disk>"
    ),
    "<disk device='floppy'><target dev='fdb'/></disk>": (
        f"<disk type='file' device='floppy'>{RAW}<target dev='fdb' bus='fdc'/>{PLACE.format(0, 0, 1)}</disk>"
    ),
    "<disk><target dev='sdi'/><alias name='scsi0-0-0'/></disk>": (
        f"<disk type='file' device='disk'>{RAW}<target dev='sdi' bus='scsi'/>{PLACE.format(1, 0, 1)}</disk>"
    ),
    "<disk type='volume'><source pool='p' volume='v' file='f'/><target dev='vda'/><alias name='ua-x'/></disk>": (
        "<disk type='volume' device='disk'><driver name='qemu'/><source pool='p' volume='v'/>"
        "<target dev='vda' bus='virtio'/><alias name='ua-x'/></disk>"
    ),
    "<disk type='network'><source protocol='http' name='i'><host name='h' transport='tcp'/></source>"
    "<target dev='vda'/></disk>": (
        f"<disk type='network' device='disk'>{RAW}<source protocol='http' name='i'><host name='h' port='80'/></source>"
        "<target dev='vda' bus='virtio'/></disk>"
    ),
    "<disk type='network'><source protocol='iscsi' name='iqn:x'><host name='h' port='1'/></source>"
    "<target dev='vda'/></disk>": (
        f"<disk type='network' device='disk'>{RAW}<source protocol='iscsi' name='iqn:x/0'>"
        "<host name='h' port='1'/></source><target dev='vda' bus='virtio'/></disk>"
    ),
    "<disk snapshot='no'><driver type='qcow2' cache='default'/><target dev='vda' tray='closed'/><readonly/></disk>": (
        "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><target dev='vda' bus='virtio'/>"
        "<readonly/></disk>"
    ),
    "<disk><target dev='vda'/><iotune><total_bytes_sec>0</total_bytes_sec></iotune></disk>": (
        f"<disk type='file' device='disk'>{RAW}<target dev='vda' bus='virtio'/></disk>"
    ),
    "<disk type='nvme'><source type='pci' namespace='1'><address slot='0x3'/></source><target dev='vda'/></disk>": (
        f"<disk type='nvme' device='disk'>{RAW}<source type='pci' managed='yes' namespace='1'>"
        "<address domain='0x0000' bus='0x00' slot='0x03' function='0x0'/></source>"
        "<target dev='vda' bus='virtio'/></disk>"
    ),
}


@pytest.mark.parametrize("written", DISKS)
def test_disks(written: str) -> None:
    assert only(written, Disk) == DISKS[written]


def test_a_disk_name_must_say_where() -> None:
    with pytest.raises(Refused, match="disk name 'xyz' says nothing about a place"):
        completed("<disk><target dev='xyz' bus='sata'/></disk>")


def test_limits_of_a_group_are_shared() -> None:
    limits = "<iotune>{}<group_name>g</group_name></iotune>"
    fast = limits.format("<total_iops_sec>9</total_iops_sec>")
    disks = f"<disk><target dev='vda'/>{fast}</disk><disk><target dev='vdb'/>{limits.format('')}</disk>"
    assert all(fast in one for one in shown(completed(disks), Disk))


# ── network ────────────────────────────────────────────────────────────────────────────────────────

MAC = "<mac address='52:54:00:00:00:01'/>"
NICS = {
    ("pc", f"<interface>{MAC}</interface>"): f"<interface type='user'>{MAC}<model type='rtl8139'/></interface>",
    ("virt", f"<interface>{MAC}</interface>"): f"<interface type='user'>{MAC}<model type='virtio'/></interface>",
    ("s390-ccw-virtio", f"<interface>{MAC}</interface>"): (
        f"<interface type='user'>{MAC}<model type='virtio'/></interface>"
    ),
    ("pc", f"<interface type='direct'>{MAC}<source dev='e'/><target dev='macvtap7'/><model type='VirtIO'/></interface>"): (
        f"<interface type='direct'>{MAC}<source dev='e' mode='vepa'/><model type='virtio'/></interface>"
    ),
    ("pc", f"<interface type='bridge'>{MAC}<source bridge='b'/><target dev='vnet0' managed='no'/></interface>"): (
        f"<interface type='bridge'>{MAC}<source bridge='b'/><target dev='vnet0' managed='no'/>"
        "<model type='rtl8139'/></interface>"
    ),
    ("pc", f"<interface type='vdpa'>{MAC}<source dev='/dev/v'/></interface>"): (
        f"<interface type='vdpa'>{MAC}<source dev='/dev/v'/><model type='virtio'/></interface>"
    ),
    ("pc", f"<interface type='ethernet'>{MAC}<ip address='1.2.3.4'/><model type='e1000'/><driver queues='4'/></interface>"): (
        f"<interface type='ethernet'>{MAC}<ip address='1.2.3.4' family='ipv4'/><model type='e1000'/></interface>"
    ),
    ("pc", (f"<interface type='null'>{MAC}<filterref filter='f'/><mtu size='0'/>"
     "<vlan><tag id='1'/><tag id='2'/></vlan></interface>")): (
        f"<interface type='null'>{MAC}<vlan trunk='yes'><tag id='1'/><tag id='2'/></vlan>"
        "<model type='rtl8139'/></interface>"
    ),
    ("pc", ("<interface type='hostdev' managed='no'><mac address='52:54:0:A:b:c'/>"
     "<source><address type='pci' bus='3'/></source></interface>")): (
        "<interface type='hostdev'><mac address='52:54:00:0a:0b:0c'/>"
        "<source><address type='pci' domain='0x0000' bus='0x03' slot='0x00' function='0x0'/></source></interface>"
    ),
}  # fmt: skip


@pytest.mark.parametrize(("machine", "written"), NICS)
def test_interfaces(machine: str, written: str) -> None:
    assert only(written, Interface, machine) == NICS[machine, written]


def test_hardware_addresses_are_made_up_apart() -> None:
    macs = [one.mac.address for one in completed("<interface/>" * 50).of(Interface) if one.mac is not None]
    assert len(set(macs)) == 50
    assert all(re.fullmatch(r"52:54:00(:[0-9a-f]{2}){3}", mac or "") for mac in macs)


def test_ports_of_switches_get_ids() -> None:
    nic = "<interface type='bridge'><source bridge='b'/><virtualport type='openvswitch'/></interface>"
    assert re.search(r"<parameters interfaceid='[-0-9a-f]{36}'/>", only(nic, Interface))


# ── character devices ──────────────────────────────────────────────────────────────────────────────

SERIAL = {
    "pc": "<target type='isa-serial' port='0'><model name='isa-serial'/></target>",
    "virt": "<target type='system-serial' port='0'><model name='pl011'/></target>",
    "pseries": "<target type='spapr-vio-serial' port='0'><model name='spapr-vty'/></target>",
    "s390-ccw-virtio": "<target type='sclp-serial' port='0'><model name='sclpconsole'/></target>",
}


@pytest.mark.parametrize("machine", SERIAL)
def test_a_console_makes_a_serial_port_and_the_other_way_round(machine: str) -> None:
    for written in ("<console type='pty'/>", "<serial type='pty'><source path='/dev/pts/3'/></serial>"):
        draft = completed(written, machine)
        assert shown(draft, Serial) == [f"<serial type='pty'>{SERIAL[machine]}</serial>"]
        assert shown(draft, Console) == ["<console type='pty'><target type='serial' port='0'/></console>"]


def test_a_console_shows_its_serial_port_whatever_it_says() -> None:
    draft = completed("<console type='pty'/><serial type='file'><source path='/log'/></serial>")
    assert shown(draft, Console) == [
        "<console type='file'><source path='/log'/><target type='serial' port='0'/></console>"
    ]


def test_ports_that_firmware_does_not_know_have_no_console() -> None:
    assert not shown(completed("<serial type='pty'><target type='pci-serial'/></serial>"), Console)


def test_virtio_consoles_follow_the_twin() -> None:
    draft = completed("<serial/><console type='pty'><target type='virtio' port='5'/></console>")
    assert [one.target and one.target.type for one in draft.of(Console)] == ["serial", "virtio"]
    assert ("virtio-serial", 0) in [(one.type, one.index) for one in draft.of(Controller)]


def test_only_the_first_console_is_a_serial_port() -> None:
    with pytest.raises(Refused, match="must be the first one"):
        completed("<console/><console><target type='serial'/></console>")


def test_ports_continue_after_the_highest() -> None:
    serials = "<serial/><serial><target port='4'/></serial><serial/>"
    assert [one.target and one.target.port for one in completed(serials).of(Serial)] == [5, 4, 6]
    parallels = "<parallel><target port='3'/></parallel><parallel/>"
    assert [one.target and one.target.port for one in completed(parallels).of(Parallel)] == [3, 4]


def test_isa_ports_named_by_type_are_four() -> None:
    isa = "<serial><target type='isa-serial'{}/></serial>"
    draft = completed(isa.format("") + isa.format(" port='0'"))
    assert [one.target and one.target.port for one in draft.of(Serial)] == [1, 0]
    before_others = completed("<serial><target type='pci-serial'/></serial>" + isa.format(""))
    assert [one.target and one.target.port for one in before_others.of(Serial)] == [1, 0]
    with pytest.raises(Refused, match="there are 4 ISA serial ports"):
        completed(isa.format("") * 5)
    with pytest.raises(Refused, match="two serial devices have port 1"):
        completed(isa.format(" port='1'") * 2)


CHANNELS = {
    "<channel type='unix'><target type='virtio' name='a'/></channel>": (
        "<channel type='unix'><target type='virtio' name='a'/></channel>"
    ),
    "<channel type='unix'><source path='/s'/><target type='virtio' name='a'/></channel>": (
        "<channel type='unix'><source mode='connect' path='/s'/><target type='virtio' name='a'/></channel>"
    ),
    "<channel type='unix'><source mode='bind' path='/var/lib/libvirt/qemu/channel/target/domain-1-t/a'/>"
    "<target type='virtio' name='a'/></channel>": (
        "<channel type='unix'><target type='virtio' name='a'/></channel>"
    ),
    "<channel type='tcp'><source host='h' service='1' path='/x'/><target type='virtio'/></channel>": (
        "<channel type='tcp'><source mode='connect' host='h' service='1'/><protocol type='raw'/>"
        "<target type='virtio'/></channel>"
    ),
    "<channel type='udp'><source mode='connect' service='2'/><source mode='bind' service='1'/>"
    "<target type='virtio'/></channel>": (
        "<channel type='udp'><source mode='bind' service='1'/><source mode='connect' service='2'/>"
        "<target type='virtio'/></channel>"
    ),
}


@pytest.mark.parametrize("written", CHANNELS)
def test_channels(written: str) -> None:
    assert only(written, Channel) == CHANNELS[written]


# ── displays ───────────────────────────────────────────────────────────────────────────────────────

GRAPHICS = {
    "<graphics type='vnc'/>": "<graphics type='vnc' port='-1' autoport='yes'><listen type='address'/></graphics>",
    "<graphics type='vnc' port='5901' listen='::1'/>": (
        "<graphics type='vnc' port='5901' autoport='no' listen='::1'><listen type='address' address='::1'/></graphics>"
    ),
    "<graphics type='vnc' socket='/s'/>": "<graphics type='vnc' socket='/s'><listen type='socket' socket='/s'/></graphics>",
    "<graphics type='vnc' socket='/var/lib/libvirt/qemu/t.vnc'/>": (
        "<graphics type='vnc' port='-1' autoport='yes'><listen type='address'/></graphics>"
    ),
    "<graphics type='spice'/>": "<graphics type='spice'><listen type='none'/></graphics>",
    "<graphics type='spice' autoport='yes' port='5900'><channel name='record' mode='any'/></graphics>": (
        "<graphics type='spice' autoport='yes'><listen type='address'/></graphics>"
    ),
    "<graphics type='rdp' replaceUser='yes' multiUser='no'/>": (
        "<graphics type='rdp' port='0' autoport='yes' replaceUser='yes'/>"
    ),
    "<graphics type='sdl' fullscreen='no'/>": "<graphics type='sdl'/>",
}


@pytest.mark.parametrize("written", GRAPHICS)
def test_graphics(written: str) -> None:
    found = only(written, Graphics)
    if "rdp" in written:
        found = found.replace("><listen type='address'/></graphics>", "/>")
    assert found == GRAPHICS[written]


VIDEOS = {
    ("pc", "<video/>"): "<model type='cirrus' vram='16384' heads='1' primary='yes'/>",
    ("virt", "<video/>"): "<model type='virtio' heads='1' primary='yes'/>",
    ("pc", "<video><model type='qxl' vram='70000' heads='2'/></video>"): (
        "<model type='qxl' ram='65536' vram='131072' vgamem='16384' heads='2' primary='yes'/>"
    ),
    ("pc", "<video><model type='none' vram='9'/></video>"): "<model type='none'/>",
}


@pytest.mark.parametrize(("machine", "written"), VIDEOS)
def test_videos(machine: str, written: str) -> None:
    assert only(written, Video, machine) == f"<video>{VIDEOS[machine, written]}</video>"


# ── other kinds ────────────────────────────────────────────────────────────────────────────────────

UUID = "11111111-2222-3333-4444-555555555555"
OTHERS = {
    ("pc", Input, "<input type='tablet'/>"): "<input type='tablet' bus='usb'/>",
    ("s390-ccw-virtio", Input, "<input type='keyboard'/>"): "<input type='keyboard' bus='virtio'/>",
    ("virt", Input, "<input type='evdev'><source dev='/e'/></input>"): (
        "<input type='evdev'><source dev='/e'/></input>"
    ),
    ("pc", Tpm, "<tpm><backend type='emulator'/></tpm>"): (
        "<tpm model='tpm-tis'><backend type='emulator' version='1.2'/></tpm>"
    ),
    ("pc", Tpm, "<tpm model='tpm-crb'><backend type='emulator'/></tpm>"): (
        "<tpm model='tpm-crb'><backend type='emulator' version='2.0'/></tpm>"
    ),
    ("virt", Tpm, "<tpm><backend type='emulator'/></tpm>"): (
        "<tpm model='tpm-tis'><backend type='emulator' version='2.0'/></tpm>"
    ),
    ("pseries", Tpm, "<tpm><backend type='passthrough'/></tpm>"): (
        "<tpm model='tpm-spapr'><backend type='passthrough'><device path='/dev/tpm0'/></backend></tpm>"
    ),
    ("pc", Rng, "<rng model='virtio'><backend model='random'/></rng>"): (
        "<rng model='virtio'><backend model='random'>/dev/random</backend></rng>"
    ),
    ("pc", Watchdog, "<watchdog model='ib700'/>"): "<watchdog model='ib700' action='reset'/>",
    ("pc", Vsock, "<vsock/>"): "<vsock model='virtio'><cid auto='yes'/></vsock>",
    ("pc", Vsock, "<vsock><cid address='3'/></vsock>"): "<vsock model='virtio'><cid auto='no' address='3'/></vsock>",
    ("pc", Sound, "<sound model='ac97'><codec type='micro'/></sound>"): "<sound model='ac97'/>",
    ("pc", Audio, "<audio id='3' type='file' path='/f'/>"): "<audio id='3' type='file' path='/f'/>",
    ("pc", Shmem, "<shmem name='s'/>"): "<shmem name='s'><model type='ivshmem'/><size unit='M'>4</size></shmem>",
    ("pc", Shmem, "<shmem name='s'><model type='ivshmem-doorbell'/><server path='/s'/></shmem>"): (
        "<shmem name='s'><model type='ivshmem-doorbell'/><server path='/s'/><msi ioeventfd='on'/></shmem>"
    ),
    ("pc", Filesystem, "<filesystem><source dir='/d'/><target dir='t'/></filesystem>"): (
        "<filesystem type='mount' accessmode='passthrough'><source dir='/d'/><target dir='t'/></filesystem>"
    ),
    ("pc", Redirdev, "<redirdev type='spicevmc'/>"): "<redirdev bus='usb' type='spicevmc'/>",
    ("pc", Redirfilter, "<redirfilter><usbdev vendor='-1' class='8' version='1.1' allow='yes'/></redirfilter>"): (
        "<redirfilter><usbdev class='0x08' version='1.10' allow='yes'/></redirfilter>"
    ),
    ("pc", Smartcard, "<smartcard mode='passthrough' type='spicevmc'/>"): (
        "<smartcard mode='passthrough' type='spicevmc'><address type='ccid' controller='0' slot='0'/></smartcard>"
    ),
    ("pc", Hostdev, f"<hostdev type='mdev' model='vfio-pci'><source><address uuid='{UUID}'/></source></hostdev>"): (
        f"<hostdev mode='subsystem' type='mdev' managed='no' model='vfio-pci' display='off'>"
        f"<source><address uuid='{UUID}'/></source></hostdev>"
    ),
    ("pc", Hostdev, "<hostdev type='pci' managed='yes'><source><address bus='6' slot='2'/></source></hostdev>"): (
        "<hostdev mode='subsystem' type='pci' managed='yes'><source>"
        "<address domain='0x0000' bus='0x06' slot='0x02' function='0x0'/></source></hostdev>"
    ),
}  # fmt: skip


@pytest.mark.parametrize(("machine", "kind", "written"), OTHERS)
def test_other_kinds(machine: str, kind: type, written: str) -> None:
    assert shown(completed(written, machine), kind)[0] == OTHERS[machine, kind, written]


def test_pseries_counts_memory_in_steps() -> None:
    module = "<memory model='dimm'><target><size unit='MiB'>300</size></target></memory>"
    draft = completed(
        module, "pseries", head="<memory unit='GiB'>2</memory><maxMemory slots='1' unit='GiB'>4</maxMemory>"
    )
    assert "<size unit='KiB'>524288</size>" in shown(draft, Memory)[0]


@pytest.mark.parametrize(
    ("devices", "why"),
    [
        ("<shmem name='s'><model type='ivshmem-doorbell'/></shmem>", "needs a server"),
        ("<shmem name='s'><model type='ivshmem-plain'/><server/></shmem>", "has no server"),
        (
            "<shmem name='s'><model type='ivshmem-doorbell'/><size>1</size><server/></shmem>",
            "the server decides the size",
        ),
        (
            (
                f"<hostdev type='mdev' model='vfio-pci'><source><address uuid='{UUID}'/></source>"
                "<address type='ccw' cssid='0xfe' ssid='0' devno='1'/></hostdev>"
            ),
            "no address of this type",
        ),
        ("<controller type='pci' index='1' model='pcie-root'/>", "must have index 0"),
        ("<controller type='pci' index='1' model='pcie-expander-bus'/>", "needs q35 or ARM's virt"),
        ("<controller type='usb' model='qusb1'/>", "no USB model 'qusb1'"),
        ("<controller type='usb' model='nec-xhci' ports='16'/>", "up to 15 ports"),
        ("<controller type='scsi' model='lsilogic'><driver iothread='1'/></controller>", "only virtio SCSI"),
        (
            "<controller type='pci' index='1' model='pci-expander-bus'><target><node>1</node></target></controller>",
            "node 1",
        ),
    ],
)
def test_devices_that_cannot_be(devices: str, why: str) -> None:
    with pytest.raises(Refused, match=why):
        completed(devices)


@pytest.mark.parametrize(
    "devices",
    [
        "<shmem name='s'><size unit='E'>99</size></shmem>",
        "<filesystem type='ram'><source usage='99' units='EiB'/><target dir='t'/></filesystem>",
        "<disk><driver><metadata_cache><max_size unit='EiB'>99</max_size></metadata_cache></driver><target dev='vda'/></disk>",
    ],
)
def test_sizes_that_no_machine_has(devices: str) -> None:
    with pytest.raises(Refused, match="is too large"):
        completed(devices)


def test_a_device_in_hand_is_completed_alone() -> None:
    draft = completed("<serial/>")
    capabilities = snapshot("x86_64").capabilities
    serial = post_parse_device(draft, parse_device(b"<serial type='pty'/>", "s"), capabilities)
    assert isinstance(serial, Serial)
    assert serial.target is not None
    assert (serial.target.type, serial.target.port) == ("isa-serial", 1)
    disk = post_parse_device(draft, parse_device(b"<disk><target dev='sdb'/></disk>", "d"), capabilities)
    assert isinstance(disk, Disk)
    assert disk.address is not None
