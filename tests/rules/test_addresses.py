"""Addresses other than PCI, other boards, and what it costs."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

from qcaps.capabilities import cachefile
from qcaps.capabilities.snapshots import snapshot
from qcaps.domainxml.devices import (
    Channel,
    Console,
    Controller,
    Disk,
    Hub,
    Input,
    Interface,
    Memballoon,
    Memory,
    Nvram,
    Rng,
    Serial,
)
from qcaps.domainxml.document import load
from qcaps.release import R9_0
from qcaps.rules.addresses.assign import assign_addresses
from qcaps.rules.draft import Draft
from qcaps.rules.refusal import Refused
from tests.support.addressing import (
    assigned,
    controllers,
    disks,
    draft_of,
    everything,
    short,
    shorts,
)

if TYPE_CHECKING:
    from pathlib import Path

TABLET = "<input type='tablet' bus='usb'>{}</input>"
USB_PORT = "<address type='usb' bus='0' port='{}'/>"
VIRTIO_SERIAL = "<controller type='virtio-serial' index='0'{}/>"
CHANNEL = "<channel type='pty'><target type='virtio' name='c'/>{}</channel>"
PORT = "<address type='virtio-serial' controller='{}' bus='0' port='{}'/>"
CONSOLE = "<console type='pty'><target type='virtio'/></console>"


def tablets(*ports: str) -> str:
    """USB tablets at these ports; "" leaves one open."""
    return "".join(TABLET.format(USB_PORT.format(port) if port else "") for port in ports)


# ── USB ──


@pytest.mark.parametrize(("count", "hubs"), [(1, 0), (4, 0), (5, 1), (7, 1), (31, 4), (32, 5), (142, 20)])
def test_hubs_of_n_usb_inputs(count: int, hubs: int) -> None:
    draft = assigned("q35", tablets(*[""] * count))
    assert len(draft.of(Hub)) == hubs
    assert len({short(device) for device in (*draft.of(Hub), *draft.of(Input))}) == count + hubs


def test_143_usb_inputs_and_no_more() -> None:
    assert len(assigned("q35", tablets(*[""] * 143)).of(Hub)) == 20
    with pytest.raises(Refused, match="no USB port is free"):
        assigned("q35", tablets(*[""] * 144))


def test_hub_chain_fills_the_nearest_ports_first() -> None:
    draft = assigned("pc", tablets(*[""] * 9))
    assert shorts(draft.of(Hub)) == ["usb 0:1", "usb 0:2"]
    assert shorts(draft.of(Input))[-2:] == ["usb 0:1.8", "usb 0:2.1"]


def test_given_ports_are_kept_free() -> None:
    draft = assigned("q35", tablets("", "1", "", "3"))
    assert shorts(draft.of(Input)) == ["usb 0:2", "usb 0:1", "usb 0:4", "usb 0:3"]


def test_second_controller_takes_what_the_first_cannot() -> None:
    more = "<controller type='usb' index='3' model='nec-xhci' ports='8'/>"
    draft = assigned("q35", more + tablets(*[""] * 6))
    assert shorts(draft.of(Input))[3:] == ["usb 0:4", "usb 3:1", "usb 3:2"]
    assert not draft.of(Hub)


def test_a_domain_that_may_run_keeps_its_topology() -> None:
    assert shorts(assigned("q35", tablets("", "1"), new=False).of(Input)) == ["-", "usb 0:1"]


USB_REFUSALS = {
    "twice": (tablets("1", "1"), "USB port 1 of bus 0 is used twice"),
    "no such port": (tablets("5"), "USB bus 0 has no port 5"),
    "no hub": (tablets("1.2"), "no USB hub is at port 1"),
    "too deep": (tablets("1.2.3.4.5"), "cannot parse USB port"),
    "no such bus": (
        "<input type='tablet' bus='usb'><address type='usb' bus='7'/></input>",
        "no USB controller for bus 7",
    ),
    "two hubs": ("<hub type='usb'><address type='usb' bus='0' port='1'/></hub>" * 2, "two USB hubs"),
}


@pytest.mark.parametrize("name", USB_REFUSALS)
def test_usb_refusals(name: str) -> None:
    body, why = USB_REFUSALS[name]
    with pytest.raises(Refused, match=why):
        assigned("q35", body)


def test_no_usb_at_all() -> None:
    with pytest.raises(Refused, match="no USB bus"):
        assigned("bare q35", tablets(""))


# ── virtio-serial ──


@pytest.mark.parametrize(("count", "expected"), [(1, 1), (30, 1), (31, 2), (60, 2), (61, 3), (200, 7)])
def test_controllers_of_n_channels(count: int, expected: int) -> None:
    """Port 0 is for consoles, so that 30 of 31 ports are left."""
    draft = assigned("q35", VIRTIO_SERIAL.format("") + CHANNEL.format("") * count)
    assert len(controllers(draft, "virtio-serial")) == expected


def test_ports_around_given_ones() -> None:
    body = VIRTIO_SERIAL.format(" ports='5'") + "".join(
        CHANNEL.format(one) for one in ("", PORT.format(0, 1), "", PORT.format(0, 0), "")
    )
    channels = shorts(assigned("q35", body).of(Channel))
    assert channels == ["port 0:2", "port 0:1", "port 0:3", "port 0:4", "port 1:1"]


def test_consoles_share_port_0_and_do_not_show_it() -> None:
    body = VIRTIO_SERIAL.format(" ports='2'") + CONSOLE * 3 + CHANNEL.format("")
    draft = assigned("q35", body)
    assert shorts(draft.of(Console)) == ["-", "-", "-"]
    assert shorts(draft.of(Channel)) == ["port 0:1"]
    assert len(controllers(draft, "virtio-serial")) == 1


def test_console_with_an_open_address_takes_a_port() -> None:
    console = CONSOLE.replace("</console>", PORT.format(0, 0) + "</console>")
    draft = assigned("q35", VIRTIO_SERIAL.format("") + console + CHANNEL.format(""))
    assert shorts(draft.of(Channel)) == ["port 0:2"]


@pytest.mark.parametrize(
    ("address", "why"),
    [
        (PORT.format(1, 1), "no virtio-serial controller 1"),
        (PORT.format(0, 31), "has no port 31"),
        (PORT.format(0, 3), "used twice"),
    ],
)
def test_channel_refusals(address: str, why: str) -> None:
    taken = CHANNEL.format(PORT.format(0, 3))
    with pytest.raises(Refused, match=why):
        assigned("q35", VIRTIO_SERIAL.format("") + taken + CHANNEL.format(address))


def test_first_console_shows_the_address_of_its_serial_port() -> None:
    draft = assigned(
        "pc",
        "<serial type='pty'><target type='pci-serial'/></serial>"
        "<console type='pty'><target type='serial'/></console>",
    )
    assert shorts(draft.of(Console)) == shorts(draft.of(Serial)) == ["pci 00:03.0"]


# ── other boards ──


def test_ccw_numbers_fill_the_gaps() -> None:
    address = "<address type='ccw' cssid='0xfe' ssid='0' devno='1'/>"
    given = f"<rng model='virtio'><backend model='random'/>{address}</rng>"
    draft = assigned("s390x", disks(2) + given)
    assert shorts(draft.of(Disk)) == ["ccw fe.0.0000", "ccw fe.0.0002"]
    assert shorts(draft.of(Memballoon)) == ["ccw fe.0.0003"]
    assert shorts(draft.of(Rng)) == ["ccw fe.0.0001"]
    with pytest.raises(Refused, match=r"fe\.0\.0001 is used twice"):
        assigned("s390x", given * 2)
    with pytest.raises(Refused, match="a cssid, an ssid and a devno, or none"):
        assigned("s390x", given.replace(" devno='1'", ""))


def test_zpci_identities() -> None:
    host = (
        "<hostdev mode='subsystem' type='pci'>"
        "<source><address domain='0' bus='{0}' slot='0' function='0'/></source>"
        "<address type='pci'>{1}</address></hostdev>"
    )
    root = "<controller type='pci' index='0' model='pci-root'/>"
    draft = assigned("s390x", root + host.format(1, "") + host.format(2, "<zpci uid='0x1'/>"))
    found = [(d.address.zpci.uid, d.address.zpci.fid) for d in draft.devices() if short(d).startswith("pci")]
    assert found == [(2, 1), (1, 0)]
    with pytest.raises(Refused, match="zPCI uid 0x1 is used twice"):
        assigned("s390x", root + host.format(1, "<zpci uid='1'/>") + host.format(2, "<zpci uid='1'/>"))


def test_pseries_registers_and_host_bridges() -> None:
    draft = assigned(
        "pseries",
        "<controller type='scsi' index='0' model='ibmvscsi'/>"
        "<controller type='scsi' index='1' model='ibmvscsi'/>"
        "<interface type='user'><mac address='52:54:00:00:00:01'/><model type='spapr-vlan'/></interface>"
        "<serial type='pty'><target type='spapr-vio-serial'/></serial><nvram/>" + disks(33),
    )
    assert [c.split()[-1] for c in controllers(draft, "scsi")] == ["0x2000", "0x3000"]
    assert shorts(draft.of(Interface)) == ["vio 0x1000"]
    assert shorts(draft.of(Serial)) == ["vio 0x30000000"]
    assert shorts(draft.of(Nvram)) == ["vio 0x4000"]
    bridges = [one for one in draft.of(Controller) if one.type == "pci"]
    assert [(one.model, one.target and one.target.index) for one in bridges] == [
        ("pci-root", 0),
        ("pci-root", 1),
    ]


def test_pseries_register_twice() -> None:
    nvram = "<nvram><address type='spapr-vio' reg='0x2000'/></nvram>"
    address = "<address type='spapr-vio' reg='0x2000'/>"
    scsi = f"<controller type='scsi' index='0' model='ibmvscsi'>{address}</controller>"
    with pytest.raises(Refused, match="register 0x2000 is used twice"):
        assigned("pseries", nvram + scsi)


def test_arm_virt_prefers_pci_unless_there_is_mmio_already() -> None:
    assert shorts(assigned("virt", disks(1)).of(Disk)) == ["pci 01:00.0"]
    mmio = disks(2).replace("</disk>", "<address type='virtio-mmio'/></disk>", 1)
    assert shorts(assigned("virt", mmio).of(Disk)) == ["virtio-mmio", "virtio-mmio"]


def test_vexpress_has_only_mmio() -> None:
    assert shorts(assigned("vexpress", disks(2)).of(Disk)) == ["virtio-mmio", "virtio-mmio"]


def test_memory_slots() -> None:
    dimm = "<memory model='dimm'><target><size>524288</size><node>0</node></target>{}</memory>"
    given = dimm.format("<address type='dimm' slot='1'/>")
    head = "<maxMemory slots='3' unit='KiB'>4194304</maxMemory>"
    draft = assigned("pc", dimm.format("") + given + dimm.format(""), head)
    assert shorts(draft.of(Memory)) == ["dimm 0", "dimm 1", "dimm 2"]
    with pytest.raises(Refused, match="no memory slot is free"):
        assigned("pc", dimm.format("") * 4, head)


# ── cost ──

SERIAL_PORT = "<serial type='pty'><target type='isa-serial'/></serial>"
SCSI_DISK = "<disk type='file'><target dev='sda' bus='scsi'/><address type='drive'/></disk>"
GROWING = {
    "ISA serials": ("q35", SERIAL_PORT, 250, 1000),
    "SCSI disks": ("q35", SCSI_DISK, 250, 1000),
    "channels": ("pc", CHANNEL.format(""), 250, 1000),
    "virtio disks on pc": ("pc", "disks", 110, 440),
    "virtio disks on q35": ("q35", "disks", 59, 236),
    "USB hubs": ("q35", "<hub type='usb'/>", 250, 1000),
    "s390 disks": ("s390x", "disks", 250, 1000),
}


def calls_of(machine: str, body: str) -> int:
    """The function calls that assignment takes, C functions included."""
    draft = draft_of(machine, body)
    capabilities = snapshot("s390x" if machine == "s390x" else "x86_64").capabilities
    calls = 0

    def count(_frame: Any, event: str, _argument: Any) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        assign_addresses(draft, capabilities)
    finally:
        sys.setprofile(None)
    return calls


@pytest.mark.parametrize("name", GROWING)
def test_cost_is_linear(name: str) -> None:
    machine, body, few, many = GROWING[name]
    extra = VIRTIO_SERIAL.format("") if name == "channels" else ""
    cost = {n: calls_of(machine, extra + (disks(n) if body == "disks" else body * n)) for n in (few, many)}
    assert cost[many] < cost[few] * (many / few) ** 1.05


# ── what libvirt wrote ──


def test_definitions_of_libvirt_keep_every_address(corpus: Path) -> None:
    """Addresses in a finished definition are taken as they are, and no controller or hub is added."""
    capabilities = cachefile.read(corpus / "capabilities" / "qemu-7.2.22-debian12.cache.xml").capabilities
    changed = []
    files = sorted((corpus / "defined").glob("*.xml"))
    for file in files:
        draft = Draft(load(file), R9_0)
        before = everything(draft)
        assign_addresses(draft, capabilities)
        if everything(draft) != before:
            changed.append(file.name)
    assert files
    assert not changed
