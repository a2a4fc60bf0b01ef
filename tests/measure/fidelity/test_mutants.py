"""Mutants: the same for the same seed, near what is known; and the least of one that still differs."""

from __future__ import annotations

from lxml import etree

from qcaps.measure.fidelity.mutants import HOSTILE, Mutants
from qcaps.measure.fidelity.reduction import reduced
from qcaps.scenario import scenario

FILES = [("disks", scenario("disks").xml(2).encode()), ("usb", scenario("usb").xml(3).encode())]


def test_the_same_seed_makes_the_same_mutants_one_by_one() -> None:
    first, second, other = (Mutants(files, seed) for files, seed in ((FILES, 1), (FILES, 1), (FILES, 2)))
    made = [first.at(number) for number in range(50)]
    assert [second.at(number) for number in reversed(range(50))] == made[::-1]
    assert [other.at(number) for number in range(50)] != made
    assert len({data for _, data in made}) > 40


def test_mutants_are_edits_of_what_is_there() -> None:
    mutants = Mutants(FILES, 0)
    known = {name: sum(1 for _ in etree.fromstring(data).iter()) for name, data in FILES}
    grew = shrank = moved = valued = 0
    for number in range(300):
        name, data = mutants.at(number)
        base = name.partition(",")[0]
        size = sum(1 for _ in etree.fromstring(data).iter())
        grew += size > known[base]
        shrank += size < known[base]
        valued += any(
            f">{value}<" in data.decode() or f'"{value}"' in data.decode() for value in HOSTILE[-9:]
        )
        tags = [node.tag for node in etree.fromstring(data).iter()]
        whole = [node.tag for node in etree.fromstring(dict(FILES)[base]).iter()]
        moved += sorted(map(str, tags)) == sorted(map(str, whole)) and tags != whole
    assert min(grew, shrank, moved, valued) > 0


def test_files_that_are_no_xml_give_no_mutants() -> None:
    assert not Mutants([("broken", b"<domain>")], 0)
    assert Mutants([("broken", b"<domain>"), *FILES], 0).at(3)[0].startswith(("disks", "usb"))


def test_the_least_that_differs_in_the_same_way_is_found() -> None:
    asked = []

    def differs(data: bytes) -> str:
        asked.append(data)
        root = etree.fromstring(data)
        disk = root.find("devices/disk")
        return "" if disk is None or disk.get("type") is None else "a disk with a type"

    least = etree.fromstring(reduced(FILES[0][1], differs))
    assert [node.tag for node in least.iter()] == ["domain", "devices", "disk"]
    assert [*least.attrib, *least[0].attrib, *least[0][0].attrib] == ["type"]
    few = len(asked)
    reduced(FILES[0][1], differs, most=5)
    assert len(asked) == few + 6
