"""PCI addresses: the counted laws of libvirt 9.0.0, its order, its board slots, its refusals."""

from __future__ import annotations

import pytest

from qcaps.capabilities.snapshots import snapshot
from qcaps.domainxml.address import PciAddress
from qcaps.domainxml.devices import Controller, Disk, Hostdev, Interface, Iommu, Memballoon, Sound, Video
from qcaps.rules.addresses.assign import assign_addresses
from qcaps.rules.refusal import Refused
from tests.support.addressing import (
    assigned,
    controllers,
    disks,
    everything,
    short,
    shorts,
)

NIC = "<interface type='user'><mac address='52:54:00:00:00:01'/><model type='{}'/></interface>"
SERIAL = "<serial type='pty'><target type='pci-serial'/></serial>"
UHCI = "<controller type='usb' index='{}' model='ich9-{}'/>"


def pci_controllers(machine: str, count: int) -> int:
    return len(controllers(assigned(machine, disks(count))))


# libvirt 9.0.0, counted on its embedded driver: controllers of type pci in a domain with n virtio disks
@pytest.mark.parametrize(
    ("machine", "count", "expected"),
    [
        *(("q35", n, n + 4) for n in (1, 7, 8, 31, 32, 64, 200, 236, 237)),
        *(("pc", n, k) for n, k in ((1, 1), (28, 1), (29, 2), (30, 2), (31, 2), (58, 2), (60, 3), (62, 3))),
        *(("pc", n, k) for n, k in ((64, 3), (91, 4), (93, 4), (128, 5), (200, 7), (256, 9), (448, 15))),
        *(("pc", n, 16) for n in (463, 477, 478)),
    ],
)
def test_pci_controllers_of_n_virtio_disks(machine: str, count: int, expected: int) -> None:
    assert pci_controllers(machine, count) == expected


@pytest.mark.parametrize(
    ("machine", "count", "model"),
    [
        ("q35", 238, "pcie-root-port"),
        ("pc", 479, "pci-bridge"),
        # the devices fill the bridges, and none is left for the bridges themselves
        *(("pc", n, "pci-bridge") for n in (59, 89, 90, 449, 450, 460)),
    ],
)
def test_space_runs_out(machine: str, count: int, model: str) -> None:
    with pytest.raises(Refused, match=f"no PCI slot is left for a controller of model '{model}'"):
        assigned(machine, disks(count))


def test_empty_q35_gets_a_port_for_each_device_and_a_spare_one() -> None:
    assert controllers(assigned("q35")) == [
        "0 pcie-root -",
        "1 pcie-root-port pci 00:01.0+",
        "2 pcie-root-port pci 00:01.1",
        "3 pcie-root-port pci 00:01.2",
    ]


def test_no_spare_port_where_the_user_manages_controllers() -> None:
    ports = controllers(
        assigned("q35", "<controller type='pci' index='1' model='pcie-root-port'/>" + disks(1))
    )
    assert len(ports) == 1 + 3


def test_conventional_device_on_q35_gets_a_bridge() -> None:
    draft = assigned("bare q35", NIC.format("rtl8139"))
    assert controllers(draft) == [
        "0 pcie-root -",
        "1 pcie-root-port pci 00:01.0+",
        "2 pcie-to-pci-bridge pci 01:00.0",
        "3 pcie-root-port pci 00:01.1",
    ]
    assert short(draft.of(Interface)[0]) == "pci 02:01.0"


@pytest.mark.parametrize(
    ("model", "bus"), [("virtio", 1), ("e1000e", 1), ("i82551", 1), ("e1000", 2), ("virtio-transitional", 2)]
)
def test_nic_models_choose_their_bus(model: str, bus: int) -> None:
    nic = assigned("bare q35", NIC.format(model)).of(Interface)[0]
    assert short(nic) == f"pci {bus:02x}:0{bus - 1}.0"


def test_root_ports_carry_chassis_and_port() -> None:
    draft = assigned("bare q35", disks(9))
    last = draft.of(Controller)[-1]
    assert (last.index, short(last)) == (10, "pci 00:02.1")
    assert last.model_element is not None
    assert last.model_element.name == "pcie-root-port"
    assert last.target is not None
    assert (last.target.chassis, last.target.port) == (10, 0x11)


def test_bridges_carry_their_chassis_number() -> None:
    bridge = assigned("pc", disks(31)).of(Controller)[-1]
    assert bridge.target is not None
    assert bridge.target.chassis_nr == 1
    assert bridge.model_element is not None
    assert bridge.model_element.name == "pci-bridge"


def test_given_options_stay() -> None:
    draft = assigned(
        "bare q35",
        "<controller type='pci' index='1' model='pcie-root-port'><model name='ioh3420'/>"
        "<target chassis='5' port='0x7'/></controller>",
    )
    port = draft.of(Controller)[1]
    assert port.target is not None
    assert port.model_element is not None
    assert (port.target.chassis, port.target.port, port.model_element.name) == (5, 7, "ioh3420")


def test_kinds_in_libvirts_order_on_pc() -> None:
    draft = assigned(
        "pc",
        "<controller type='ide' index='0'/><controller type='ide' index='1'/>"
        "<video><model type='cirrus'/></video><rng model='virtio'><backend model='random'/></rng>"
        "<watchdog model='i6300esb'/><sound model='ac97'/>"
        + disks(1)
        + NIC.format("virtio")
        + "<filesystem type='mount'><source dir='/s'/><target dir='t'/></filesystem>"
        + SERIAL,
    )
    order = [(type(d).__name__, short(d)) for d in draft.devices() if short(d).startswith("pci")]
    assert dict(order) | {"Controller": "", "ide": short(draft.of(Controller)[2])} == {
        "Video": "pci 00:02.0",
        "Filesystem": "pci 00:03.0",
        "Interface": "pci 00:04.0",
        "Sound": "pci 00:05.0",
        "ide": "pci 00:01.1",
        "Controller": "",
        "Disk": "pci 00:07.0",
        "Memballoon": "pci 00:08.0",
        "Rng": "pci 00:09.0",
        "Watchdog": "pci 00:0a.0",
        "Serial": "pci 00:0b.0",
    }
    assert short(draft.of(Controller)[0]) == "pci 00:01.2"
    assert short(draft.of(Controller)[3]) == "pci 00:06.0"  # the second IDE controller is a device


def test_board_slots_of_q35() -> None:
    draft = assigned(
        "bare q35",
        "<controller type='sata' index='0'/><video><model type='qxl'/></video><sound model='ich9'/>"
        "<controller type='pci' index='1' model='dmi-to-pci-bridge'/>"
        + "".join(UHCI.format(i, part) for i in (0, 1, 2) for part in ("ehci1", "uhci1", "uhci2", "uhci3")),
    )
    assert short(draft.of(Video)[0]) == "pci 00:01.0"
    assert short(draft.of(Sound)[0]) == "pci 00:1b.0"
    assert controllers(draft, "sata") == ["0 - pci 00:1f.2"]
    assert controllers(draft)[1] == "1 dmi-to-pci-bridge pci 00:1e.0"
    usb = [line.split()[-1] for line in controllers(draft, "usb")]
    assert usb[:8] == [f"00:{slot}.{part}" for slot in ("1d", "1a") for part in ("7", "0+", "1", "2")]
    assert usb[8][:-1] == usb[9][:-2] == usb[10][:-1] == usb[11][:-1]  # the third controller, in one slot too


def test_video_goes_elsewhere_if_its_slot_is_taken() -> None:
    nic = NIC.format("virtio").replace("</interface>", "<address type='pci' slot='2'/></interface>")
    assert shorts(assigned("pc", nic + "<video><model type='vga'/></video>").of(Video)) == ["pci 00:03.0"]


def test_virtio_iommu_is_integrated() -> None:
    assert shorts(assigned("q35", "<iommu model='virtio'/>").of(Iommu)) == ["pci 00:02.0"]


def test_multifunction_is_marked_unless_the_user_decided() -> None:
    def sounds(first: str) -> list[str]:
        addresses = (f"slot='5' {first}", "slot='5' function='3'")
        body = "".join(f"<sound model='ac97'><address type='pci' {a}/></sound>" for a in addresses)
        return [short(one) for one in assigned("pc", body).of(Sound)]

    assert sounds("") == ["pci 00:05.0+", "pci 00:05.3"]
    assert sounds("multifunction='off'") == ["pci 00:05.0", "pci 00:05.3"]


def test_address_on_a_bus_that_only_a_bridge_makes_possible_moves_one_on() -> None:
    body = "<sound model='ac97'><address type='pci' bus='1' slot='4'/></sound>"
    assert shorts(assigned("bare q35", body).of(Sound)) == ["pci 02:04.0"]


def test_user_address_makes_buses() -> None:
    body = "<sound model='ac97'><address type='pci' bus='3' slot='4'/></sound>"
    assert [c.split()[1] for c in controllers(assigned("pc", body))] == ["pci-root"] + ["pci-bridge"] * 3


def test_host_devices_are_express_and_come_with_hostdev_interfaces_first() -> None:
    source = "<source><address {} domain='0' bus='{}' slot='0' function='0'/></source>"
    draft = assigned(
        "bare q35",
        "<hostdev mode='subsystem' type='pci'>" + source.format("", 6) + "</hostdev>"
        "<interface type='hostdev'><mac address='52:54:00:00:00:01'/>"
        + source.format("type='pci'", 5)
        + "</interface>",
    )
    assert shorts(draft.of(Interface)) == ["pci 01:00.0"]
    assert shorts(draft.of(Hostdev)) == ["pci 02:00.0"]


def test_expander_bus_numbers_descend() -> None:
    body = "".join(f"<controller type='pci' index='{i}' model='pci-expander-bus'/>" for i in (1, 2))
    targets = [c.target for c in assigned("pc", body).of(Controller) if c.model == "pci-expander-bus"]
    assert [target.bus_nr for target in targets if target is not None] == [254, 252]


def test_no_memballoon_no_address() -> None:
    assert shorts(assigned("bare pc", "<memballoon model='none'/>").of(Memballoon)) == ["-"]


def test_again_changes_nothing() -> None:
    draft = assigned("q35", disks(40) + SERIAL + "<sound model='ich6'/>")
    before = everything(draft)
    assign_addresses(draft, snapshot("x86_64").capabilities)
    assert everything(draft) == before


def at(address: str, *, model: str = "ac97") -> str:
    return f"<sound model='{model}'><address type='pci' {address}/></sound>"


def bridge(index: int, model: str = "pci-bridge", inside: str = "") -> str:
    return f"<controller type='pci' index='{index}' model='{model}'>{inside}</controller>"


REFUSALS = {
    "double use": ("pc", at("slot='4'") * 2, "0000:00:04.0 is used twice"),
    "board's own": ("pc", at("slot='1' function='3'"), "0000:00:01.3 is used twice"),
    "bus": ("pc", at("bus='0x100' slot='1'"), "bus 0x100 of the address is above 0xff"),
    "slot": ("pc", at("slot='0x20'"), "slot 0x20 of the address is above 0x1f"),
    "function": ("pc", at("slot='3' function='8'"), "function 0x8 of the address is above 0x7"),
    "domain": ("pc", at("domain='1' slot='3'"), "0001:00:03.0 is not in domain 0"),
    "slot 0 of a bridge": ("pc", bridge(1) + at("bus='1' slot='0'"), "slots of that bus are 1 to 31"),
    "slot of a port": ("q35", bridge(1, "pcie-root-port") + at("bus='1' slot='1'"), "are 0 to 0"),
    "switch": (
        "q35",
        bridge(1, "pcie-root-port") + bridge(2, "pcie-switch-upstream-port") + at("bus='2' slot='1'"),
        "accepts a standard PCI device",
    ),
    "downstream port": ("q35", bridge(1, "pcie-switch-downstream-port"), "pcie-switch-downstream-port"),
    "duplicate": ("pc", bridge(1) * 2, "two 'pci' controllers have the index 1"),
    "address of a root": (
        "bare pc",
        bridge(0, "pci-root", "<address type='pci' slot='3'/>"),
        "a pci-root or pcie-root has no address",
    ),
    "node": (
        "pc",
        bridge(1, "pci-expander-bus", "<target><node>0</node></target>"),
        "is for NUMA node 0, and the guest has 0",
    ),
    "bus numbers": (
        "pc",
        bridge(1, "pci-expander-bus", "<target busNr='2'/>") + bridge(2, "pci-expander-bus"),
        "no bus number is free",
    ),
    "bridge on itself": (
        "pc",
        bridge(1, inside="<address type='pci' bus='2' slot='3'/>") + bridge(2),
        "its index must be larger",
    ),
    "first IDE controller": (
        "pc",
        "<controller type='ide' index='0'><address type='pci' slot='9'/></controller>",
        "at PCI address 0000:00:01.1",
    ),
    "integrated device elsewhere": (
        "q35",
        bridge(1, "pcie-root-port") + "<iommu model='virtio'><address type='pci' bus='1'/></iommu>",
        "has to be an integrated device",
    ),
    "virtio disk elsewhere": (
        "pc",
        disks(1).replace("</disk>", "<address type='drive'/></disk>"),
        "'drive' is no address for a virtio disk",
    ),
    "USB NIC": ("pc", NIC.format("usb-net"), "no PCI device"),
    "no bus at all": ("bare pc", "<memballoon model='virtio'/>", "no PCI bus"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_refusals_name_line_and_element(name: str) -> None:
    machine, body, why = REFUSALS[name]
    with pytest.raises(Refused) as refused:
        assigned(machine, body)
    assert why in str(refused.value)
    assert "\n" not in str(refused.value)
    if name != "board's own":  # the board has no line
        assert str(refused.value).startswith("line 3: <") or name in ("address of a root", "no bus at all")


def test_disks_keep_their_order() -> None:
    assert shorts(assigned("pc", disks(3)).of(Disk)) == ["pci 00:02.0", "pci 00:03.0", "pci 00:04.0"]


def test_a_mark_without_a_place_is_forgotten() -> None:
    given = NIC.format("rtl8139").replace("</interface>", "<address type='pci' {}/></interface>")
    for place, kept in (("slot='7' multifunction='on'", True), ("multifunction='on'", None)):
        address = assigned("pc", given.replace("{}", place)).of(Interface)[0].address
        assert isinstance(address, PciAddress)
        assert address.multifunction is kept
