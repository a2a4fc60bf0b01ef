"""A user's domain with n devices more: only free names, nothing of theirs changed, as libvirt takes it."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from lxml import etree

from qcaps.content import ContentFolders
from qcaps.errors import QcapsError, UsageError
from qcaps.growing import MOST, grown
from qcaps.growing_limit import fitting, limit, refused_by_reference
from qcaps.live.host.embedded import Embedded
from qcaps.lookups.libvirt_laws import devices
from qcaps.scenario import names

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FAMILIES = ("disks", "nics", "scsi", "serials", "channels", "usb", "mixed", "fuzz", "kitchen-sink", "simple")


def guest(inner: str = "", machine: str = "q35", arch: str = "x86_64") -> bytes:
    return (
        f"<domain type='qemu'><name>g</name><memory>65536</memory><os>"
        f"<type arch='{arch}' machine='{machine}'>hvm</type></os><features><acpi/></features>\n"
        f"<devices><emulator>/usr/bin/qemu-system-{arch}</emulator>{inner}</devices></domain>"
    ).encode()


def disk(name: str, bus: str = "virtio", more: str = "") -> str:
    return f"<disk type='file'><source file='/{name}'/><target dev='{name}' bus='{bus}'/>{more}</disk>"


def scsi_place(controller: int, unit: int) -> str:
    return f"<address type='drive' controller='{controller}' bus='0' target='0' unit='{unit}'/>"


LETTERS = "abcdefghijklmnopqrstuvwxyz"
FULL_BUS = "".join(
    f"<interface type='user'><mac address='52:54:00:aa:00:{slot:02x}'/>"
    f"<address type='pci' bus='0' slot='{slot}' function='0'/></interface>"
    for slot in range(3, 31)
)
HOSTILE = {
    "nothing": guest(),
    "pc": guest(machine="pc"),
    "vda to vdz": guest("".join(disk(f"vd{letter}") for letter in LETTERS)),
    "gaps": guest(disk("vdb") + disk("vdd") + disk("vdaa") + disk("sdc", "sata")),
    "names on other buses": guest(disk("sdh") + disk("sdb", "usb") + disk("vda", "scsi", scsi_place(0, 3))),
    "scsi by name": guest(disk("sda", "scsi") + disk("sdi", "scsi")),
    "scsi by place": guest(
        "<controller type='scsi' index='1' model='virtio-scsi'/>"
        + disk("sda", "scsi", scsi_place(1, 0))
        + disk("sdb", "scsi", scsi_place(0, 2))
    ),
    "controllers without index": guest(
        "<controller type='scsi' model='virtio-scsi'/><controller type='scsi' model='lsilogic'/>"
    ),
    "a scsi host device": guest(
        "<hostdev mode='subsystem' type='scsi'><source><adapter name='scsi_host0'/>"
        "<address bus='0' target='0' unit='0'/></source></hostdev>"
    ),
    "boot order": guest(
        disk("vdc", more="<boot order='1'/>")
        + "<interface type='user'><mac address='52:54:00:00:00:01'/><boot order='2'/></interface>"
    ),
    "macs": guest(
        "<interface type='user'><mac address='52:54:00:00:00:00'/></interface>"
        "<interface type='user'><mac address='52:54:00:00:00:02'/></interface><interface type='user'/>"
    ),
    "channels": guest(
        "<controller type='virtio-serial' index='0' ports='4'/>"
        "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/>"
        "<address type='virtio-serial' controller='0' bus='0' port='2'/></channel>"
        "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.2'/></channel>"
    ),
    "serials": guest("<serial type='pty'><target port='3'/></serial><serial type='pty'/>"),
    "shares": guest(
        "<filesystem type='mount'><source dir='/s'/><target dir='share11'/></filesystem>", machine="pc"
    ),
    "fixed ports": guest(
        "<controller type='pci' index='0' model='pcie-root'/>"
        "<controller type='pci' index='1' model='pcie-root-port'><target chassis='1' port='0x10'/>"
        "<address type='pci' bus='0' slot='2' function='0'/></controller>"
        + disk("vda", more="<alias name='virtio-disk0'/><address type='pci' bus='1' slot='0' function='0'/>")
    ),
    "a full bus": guest(FULL_BUS, machine="pc"),
    "a place out of reach": guest(disk("sdzzzzzzzz", "scsi")),
    "two lists of devices": guest("</devices><devices>" + disk("vda")),
    "no lists of devices": guest().replace(b"<devices>", b"<x>").replace(b"</devices>", b"</x>"),
    "a namespace": guest().replace(
        b"<domain ", b"<domain xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0' "
    ),
}
S390X = guest(disk("vda"), "s390-ccw-virtio", "s390x")


def all_of(xml: bytes, path: str, key: str) -> list[str]:
    return [found.get(key, "") for found in etree.fromstring(xml).iterfind(f"devices/{path}")]


def own(xml: bytes) -> list[bytes]:
    """What is written below <devices>, in its own words."""
    return [etree.tostring(node, with_tail=False) for node in etree.fromstring(xml).iterfind("devices/*")]


@pytest.mark.parametrize("family", names())
@pytest.mark.parametrize("kind", HOSTILE)
def test_nothing_of_the_users_changes_and_the_same_seed_gives_the_same(kind: str, family: str) -> None:
    xml = HOSTILE[kind]
    for n in (0, 1, 5):
        more = grown(xml, family, n, seed=3)
        assert more == grown(xml, family, n, seed=3)
        assert own(more)[: len(own(xml))] == own(xml)
        assert len(own(more)) >= len(own(xml)) + n
        before, after = (etree.fromstring(one) for one in (xml, more))
        assert [node.tag for node in after if node.tag != "devices"] == [
            node.tag for node in before if node.tag != "devices"
        ]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("kind", HOSTILE)
def test_names_are_unique(kind: str, family: str) -> None:
    xml = grown(HOSTILE[kind], family, 17)
    for path, key in (
        ("disk/target", "dev"),
        ("interface/mac", "address"),
        ("channel/target", "name"),
        ("filesystem/target", "dir"),
        ("controller[@type='scsi'][@index]", "index"),
    ):
        found = all_of(xml, path, key)
        assert len(set(found)) == len(found), path


@pytest.mark.parametrize("kind", sorted(HOSTILE.keys() - {"a full bus", "a place out of reach"}))
def test_the_reference_accepts(kind: str) -> None:
    for family in random.Random(kind).sample(FAMILIES, 3):
        assert refused_by_reference(grown(HOSTILE[kind], family, 17)) == ""


def test_disks_fill_the_gaps() -> None:
    added = all_of(grown(HOSTILE["gaps"], "disks", 4), "disk/target", "dev")[4:]
    assert added == ["vda", "vdc", "vde", "vdf"]
    assert all_of(grown(HOSTILE["vda to vdz"], "disks", 1), "disk/target", "dev")[-1] == "vdaa"


def test_scsi_disks_follow_their_controllers_to_a_free_index() -> None:
    xml = grown(HOSTILE["scsi by name"], "scsi", 8)
    assert all_of(xml, "controller", "index") == ["2", "3"]
    assert all_of(xml, "disk/target", "dev")[2:] == [f"sd{letter}" for letter in "opqrstuv"]


def test_a_scsi_disk_whose_name_is_taken_has_its_place_written() -> None:
    xml = grown(HOSTILE["names on other buses"], "scsi", 2)
    assert all_of(xml, "controller", "index") == ["1"]
    assert all_of(xml, "disk/target", "dev")[3:] == ["sda", "sdi"]
    places = etree.fromstring(xml).findall("devices/disk/address")
    assert [dict(place.attrib) for place in places][1:] == [
        {"type": "drive", "controller": "1", "bus": "0", "target": "0", "unit": "0"}
    ]


def test_a_machine_of_another_architecture_takes_what_it_has() -> None:
    xml = grown(S390X, "s390x-ccw", 8)
    assert refused_by_reference(xml) == ""
    assert refused_by_reference(grown(S390X, "disks", 8)) == ""
    found = limit(S390X, "usb", most=4)
    assert (found.largest, found.why) != (4, "")


def test_more_than_any_machine_takes_is_a_usage_error() -> None:
    for n in (-1, MOST + 1):
        with pytest.raises(UsageError, match="takes 0 to"):
            grown(guest(), "disks", n)
    assert len(own(grown(guest(), "serials", MOST))) == MOST + 1


def test_the_limit_says_what_ran_out() -> None:
    found = limit(HOSTILE["pc"], "usb")
    assert str(found) == f"--grow usb: takes {found.largest} more and no {found.largest + 1}: {found.why}"
    assert "no USB port is free" in found.why
    assert str(limit(guest(), "serials", most=7)) == "--grow serials: takes 7 more, the most that is tried"
    assert limit(guest("<disk/>"), "disks").largest == -1


def test_the_limit_is_the_callers_to_ask() -> None:
    def takes_five(xml: bytes) -> str:
        return "full" if len(own(xml)) > 1 + 5 else ""

    assert limit(guest(), "disks", takes_five).largest == 5
    assert fitting(guest(), "disks", refusal=takes_five) == (0, 1, 4)
    assert fitting(guest(), "disks", refusal=lambda _: "never") == (0, 1, 4, 16, 64, 128)
    assert fitting(guest(), "simple", refusal=takes_five) == (0, 1, 4)


def test_a_family_that_yields_no_xml_is_named(tmp_path: Path) -> None:
    (tmp_path / "scenarios").mkdir()
    bad = tmp_path / "scenarios" / "bad.py"
    bad.write_text(
        "SUMMARY = ''\nLARGEST = {'pc': 3}\ndef devices(n, machine, random):\n    yield from ['<x>'] * n\n"
    )
    with pytest.raises(QcapsError, match=r"bad\.py: devices\(\) yields what is not XML"):
        grown(guest(), "bad", 1, content=ContentFolders(tmp_path))


@pytest.fixture(scope="module")
def libvirt() -> Iterator[Embedded]:
    with Embedded("none") as subject:
        yield subject


@pytest.mark.libvirt
@pytest.mark.root
@pytest.mark.parametrize("kind", HOSTILE)
def test_libvirt_accepts_what_the_reference_does(libvirt: Embedded, kind: str) -> None:
    xml = HOSTILE[kind]
    base = libvirt.define(xml.decode())
    if not base.xml:
        assert kind == "a place out of reach", base.error
        return
    for family in random.Random(kind).sample(FAMILIES, 4):
        for n in (1, 16):
            more = grown(xml, family, n)
            done = libvirt.define(more.decode())
            assert bool(done.error) == bool(refused_by_reference(more)), (family, n, done.error)
            if done.xml:
                assert devices(done.xml) - devices(base.xml) >= n - (family == "serials")
