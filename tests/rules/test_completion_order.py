"""The order of devices, controllers with their indexes, those that other devices bring, and the cost."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

from qcaps.capabilities import cachefile
from qcaps.capabilities.snapshots import snapshot
from qcaps.domainxml.devices import Controller, Disk, Hostdev, Smartcard, Video
from qcaps.domainxml.document import load
from qcaps.errors import QcapsError
from qcaps.lookups.lookup import Lookup
from qcaps.release import R9_0
from qcaps.rules.definition.completion.post_parse import post_parse
from qcaps.rules.draft import Draft
from qcaps.rules.refusal import Refused
from qcaps.rules.shared.names import disk_number
from qcaps.rules.shared.sets import canonical, ranges
from tests.support.completing import completed, draft_of, shown

if TYPE_CHECKING:
    from pathlib import Path


def controllers(devices: str, kind: str, machine: str = "pc") -> list[tuple[int | None, str | None]]:
    return [(one.index, one.model) for one in completed(devices, machine).of(Controller) if one.type == kind]


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("hda", 0),
        ("vdz", 25),
        ("sdaa", 26),
        ("xvdba", 52),
        ("fdb", 1),
        ("vda3", 0),
        ("vd", -1),
        ("sd1", -1),
        ("nix", -1),
    ],
)
def test_names_stand_for_numbers(name: str, number: int) -> None:
    assert disk_number(name) == number


@pytest.mark.parametrize(
    ("text", "shape"), [("3,1,2", "1-3"), ("0-7,^3", "0-2,4-7"), ("5", "5"), ("1,1", "1"), ("007", "7")]
)
def test_sets_are_spelt_one_way(text: str, shape: str) -> None:
    assert canonical(text) == shape


def test_no_numbers_are_no_set() -> None:
    assert ranges(0) == ""


def test_disks_stand_by_bus_and_name() -> None:
    names = ["vdb", "sdb", "vdaa", "hda", "sda", "vda"]
    draft = completed("".join(f"<disk><target dev='{name}' bus='{_bus(name)}'/></disk>" for name in names))
    assert [one.target and one.target.dev for one in draft.of(Disk)] == [
        "vda",
        "vdb",
        "vdaa",
        "sda",
        "sdb",
        "hda",
    ]


def _bus(name: str) -> str:
    return {"v": "virtio", "s": "scsi", "h": "ide"}[name[0]]


def test_the_primary_card_comes_first() -> None:
    cards = "<video><model type='vga'/></video><video><model type='qxl' primary='yes'/></video>"
    assert [one.model and (one.model.type, one.model.primary) for one in completed(cards).of(Video)] == [
        ("qxl", True),
        ("vga", None),
    ]


def test_controllers_stand_by_index() -> None:
    virtio = "<controller type='scsi' {}model='{}'/>"
    written = (
        virtio.format("index='2' ", "virtio-scsi")
        + virtio.format("", "lsilogic")
        + virtio.format("index='0' ", "buslogic")
    )
    assert controllers(written, "scsi") == [(0, "buslogic"), (2, "virtio-scsi"), (1, "lsilogic")]


def test_companions_join_their_master() -> None:
    ehci = "".join(
        f"<controller type='usb' model='ich9-{one}'/>" for one in ("ehci1", "uhci1", "uhci2", "ehci1")
    )
    draft = completed(ehci)
    assert [(one.index, one.model, one.master and one.master.startport) for one in draft.of(Controller)][
        :4
    ] == [
        (0, "ich9-ehci1", None),
        (0, "ich9-uhci1", 0),
        (0, "ich9-uhci2", 2),
        (1, "ich9-ehci1", None),
    ]


def test_a_master_stands_before_its_companions() -> None:
    written = "<controller type='usb' index='0' model='ich9-uhci1'><master startport='0'/></controller>"
    written += "<controller type='usb' index='0' model='ich9-ehci1'/>"
    assert controllers(written, "usb") == [(0, "ich9-ehci1"), (0, "ich9-uhci1")]


def test_two_controllers_share_an_index_only_on_usb() -> None:
    with pytest.raises(Refused, match="two 'sata' controllers have index 0"):
        completed("<controller type='sata' index='0'/>" * 2)


ROOT = "<controller type='pci' index='0' model='pci-root'><pcihole64 unit='{}'>{}</pcihole64></controller>"
CONTROLLERS = {
    ROOT.format("MiB", 1): ROOT.format("KiB", 1024),
    "<controller type='fdc'><driver queues='0'/></controller>": "<controller type='fdc' index='0'/>",
    "<controller/>": "<controller type='ide' index='0'/>",
}


@pytest.mark.parametrize("written", CONTROLLERS)
def test_controllers_say_what_counts(written: str) -> None:
    assert shown(completed(written), Controller)[0] == CONTROLLERS[written]


@pytest.mark.parametrize(
    ("machine", "model"), [("pc", "lsilogic"), ("pseries", "ibmvscsi"), ("s390-ccw-virtio", "virtio-scsi")]
)
def test_disks_bring_their_controllers(machine: str, model: str) -> None:
    assert controllers("<disk><target dev='sdi' bus='scsi'/></disk>", "scsi", machine) == [
        (0, model),
        (1, model),
    ]


@pytest.mark.parametrize(
    ("dev", "bus", "count"), [("hdf", "ide", 2), ("fdc", "fdc", 2), ("sdg", "sata", 2), ("vdz", "virtio", 0)]
)
def test_every_bus_has_its_own_size(dev: str, bus: str, count: int) -> None:
    assert len(controllers(f"<disk><target dev='{dev}' bus='{bus}'/></disk>", bus)) == count


def test_channels_name_their_controller() -> None:
    channel = (
        "<channel type='pty'><target type='virtio'/><address type='virtio-serial' controller='2'/></channel>"
    )
    assert controllers(channel, "virtio-serial") == [(2, None)]


def test_smartcards_take_slots() -> None:
    card = "<smartcard mode='host'{}"
    given = card.format("><address type='ccid' controller='0' slot='2'/></smartcard>")
    draft = completed(card.format("/>") + given)
    assert [one.address and one.address.slot for one in draft.of(Smartcard)] == [3, 2]
    assert [one.index for one in draft.of(Controller) if one.type == "ccid"] == [0]


SOURCE = "<source><adapter name='scsi_host0'/><address bus='0' target='0' unit='0'/></source>"
HOSTDEV = f"<hostdev type='scsi'>{SOURCE}{{}}</hostdev>"
DRIVE = "<address type='drive' controller='{}' bus='0' target='0' unit='{}'/>"


def test_host_scsi_devices_fill_the_gaps() -> None:
    disks = "<disk><target dev='sda' bus='scsi'/></disk><disk><target dev='sdc' bus='scsi'/></disk>"
    draft = completed(disks + HOSTDEV.format("") * 6)
    places = [(one.address.controller, one.address.unit) for one in draft.of(Hostdev)]
    assert places == [(0, 1), (0, 3), (0, 4), (0, 5), (0, 6), (1, 0)]
    assert len([one for one in draft.of(Controller) if one.type == "scsi"]) == 2


def test_new_controllers_follow_the_model_that_is_there() -> None:
    there = "<controller type='scsi' index='0' model='virtio-scsi'/>"
    hosts = HOSTDEV.format(DRIVE.format(0, 1)) + HOSTDEV.format(DRIVE.format(1, 1))
    assert controllers(there + hosts, "scsi") == [(0, "virtio-scsi"), (1, "virtio-scsi")]


def test_disks_and_host_devices_do_not_share_a_place() -> None:
    with pytest.raises(Refused, match="a host device is where 'sda' belongs"):
        completed("<disk><target dev='sda' bus='scsi'/></disk>" + HOSTDEV.format(DRIVE.format(0, 0)))
    disk = f"<disk><target dev='sda' bus='scsi'/>{DRIVE.format(0, 3)}</disk>"
    with pytest.raises(Refused, match="a SCSI disk is where this host device shall be"):
        completed(disk + HOSTDEV.format(DRIVE.format(0, 3)))


# ── cost ───────────────────────────────────────────────────────────────────────────────────────────

GROWING = {
    "disks": "<disk type='file'><source file='/v/{0}'/><target dev='sd{1}' bus='scsi'/></disk>",
    "interfaces": "<interface type='network'><source network='n'/></interface>",
    "serials": "<serial type='pty'/>",
    "channels": "<channel type='unix'><target type='virtio' name='c{0}'/></channel>",
    "host devices": HOSTDEV.format(""),
    "controllers": "<controller type='virtio-serial'/>",
    "smartcards": "<smartcard mode='host'/>",
}


def _letters(number: int) -> str:
    text = ""
    while number >= 0:
        number, rest = divmod(number, 26)
        text, number = chr(97 + rest) + text, number - 1
    return text


def calls_for(body: str, count: int) -> int:
    # last first, so that nothing is in order yet
    devices = "".join(body.format(number, _letters(number)) for number in reversed(range(count)))
    draft = draft_of(devices)
    lookup = Lookup.given(snapshot("x86_64").capabilities)
    calls = 0

    def counted(_frame: object, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    disk_number.cache_clear()
    sys.setprofile(counted)
    try:
        post_parse(draft, lookup)
    finally:
        sys.setprofile(None)
    return calls


@pytest.mark.parametrize("name", GROWING)
def test_cost_is_linear(name: str) -> None:
    assert calls_for(GROWING[name], 400) < calls_for(GROWING[name], 100) * 4 * 1.1


# ── what libvirt made of the same files ────────────────────────────────────────────────────────────


def test_devices_are_those_that_libvirt_has(corpus: Path) -> None:
    """Kinds and models as libvirt 9.0.0 left them; PCI controllers and hubs come with addresses."""
    capabilities = cachefile.read(corpus / "capabilities" / "qemu-7.2.22-debian12.cache.xml").capabilities
    index = json.loads((corpus / "index.json").read_text())
    accepted = [entry["file"] for entry in index if entry["accepted"]]
    wrong = []
    for file in accepted:
        draft = Draft(load(corpus / "in" / file), R9_0)
        try:
            post_parse(draft, Lookup.given(capabilities))
        except QcapsError as error:
            wrong.append(f"{file}: {error}")
            continue
        if _kinds(draft) != _kinds(Draft(load(corpus / "defined" / file), R9_0)):
            wrong.append(file)
    assert len(accepted) > 300
    assert len(wrong) <= len(accepted) // 100, wrong


def _kinds(draft: Draft) -> list[tuple[object, ...]]:
    """Each device's tag, type and model, those left out that address assignment adds."""
    return sorted(
        (
            one.TAG,
            str(getattr(one, "type", "")),
            str(getattr(one, "model", "")) if one.TAG == "controller" else "",
        )
        for one in draft.devices()
        if one.TAG != "hub" and not (isinstance(one, Controller) and one.type == "pci" and one.index)
    )


def test_shown_is_what_is_there() -> None:
    assert (
        shown(completed("<controller type='ide' index='0'/>"), Controller)[0]
        == "<controller type='ide' index='0'/>"
    )
