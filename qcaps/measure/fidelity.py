"""How true the reference is: its defines beside what a real libvirt made of the same domains.

The truth is either recorded, a directory with `in/` (domain files), `index.json` (accepted or the error,
devices, lookups by file) and `defined/` (the resulting XML), or asked of this machine's own libvirt.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lxml import etree

from qcaps.bounded import read_bounded, read_json
from qcaps.errors import QcapsError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from qcaps.driver.driver import QemuDriver
    from qcaps.live.host.embedded import Embedded

SCORES = ("answer", "devices", "lookups", "addresses", "whole")


_EMBEDDED, _SYSTEM = "/run/qcaps/root/lib/qemu/", "/var/lib/libvirt/qemu/"


@dataclass(frozen=True)
class Truth:
    """What the real one made of a domain; `xml` is empty for a refused one."""

    name: str
    data: bytes
    accepted: bool
    error: str
    lookups: int
    xml: bytes


@dataclass(frozen=True)
class FidelityOutcome:
    """The reference beside the truth. A field is None where the comparison does not apply."""

    truth: Truth
    error: str | None
    answer: bool
    devices: bool | None = None
    addresses: bool | None = None
    lookups: bool | None = None
    whole: bool | None = None
    difference: tuple[str, ...] = ()


@dataclass(frozen=True)
class Score:
    """How many of how many agree."""

    name: str
    equal: int
    of: int

    @property
    def share(self) -> float:
        """From 0 to 1; 1 where there was nothing to compare."""
        return self.equal / self.of if self.of else 1.0


def recorded(directory: Path) -> Iterator[Truth]:
    """The recorded truth below `directory`. Raises QcapsError where the index is missing or not ours."""
    index = directory / "index.json"
    try:
        records = read_json(index)
        for record in records:
            file = record["file"]
            accepted = record["accepted"]
            yield Truth(
                file,
                read_bounded(directory / "in" / file),
                accepted,
                record.get("error", ""),
                record.get("lookups", 0),
                read_bounded(directory / "defined" / file) if accepted else b"",
            )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise QcapsError(
            f"{index}: no record of truth: {error}; to ask this machine's libvirt about files, add --live"
        ) from error


def asked(subject: Embedded, name: str, data: bytes, emulator: str | None) -> Truth:
    """What the embedded libvirt makes of a domain, its emulator stood in for as the reference does it."""
    try:
        xml = stand_in(data, emulator).decode()
    except (etree.XMLSyntaxError, UnicodeError) as error:
        return Truth(name, data, accepted=False, error=str(error), lookups=0, xml=b"")
    done = subject.define(xml)
    # an embedded libvirt keeps in its own folder what a system's keeps below /var/lib/libvirt
    made = (done.xml or "").replace(_EMBEDDED, _SYSTEM)
    return Truth(name, data, done.accepted, done.error or "", done.lookups or 0, made.encode())


def stand_in(data: bytes, emulator: str | None) -> bytes:
    """The domain with another emulator; an i686 guest becomes an x86_64 one with it (see QemuDriver)."""
    root = etree.fromstring(data)
    if emulator is not None:
        for node in root.iterfind("devices/emulator"):
            node.text = emulator
        kind = root.find("os/type")
        if kind is not None and kind.get("arch") == "i686":
            kind.set("arch", "x86_64")
    return etree.tostring(root, encoding="utf-8")


def compare(driver: QemuDriver, truth: Truth) -> FidelityOutcome:
    """Defines the domain and holds the result against the truth."""
    data = truth.data
    try:
        driver.warm(data, truth.name)
        done = driver.define(data, truth.name)
    except QcapsError as error:
        return FidelityOutcome(truth, str(error), answer=not truth.accepted)
    driver.undefine(done.domain.name)
    if not truth.accepted:
        return FidelityOutcome(truth, None, answer=False)
    ours, theirs = _root(done.xml.encode()), _root(truth.xml)
    mine, real = Counter(map(_kind, _devices(ours))), Counter(map(_kind, _devices(theirs)))
    difference = [f"- {kind}" for kind in (real - mine).elements()]
    difference += [f"+ {kind}" for kind in (mine - real).elements()]
    placed, really = Counter(map(_place, _devices(ours))), Counter(map(_place, _devices(theirs)))
    if not difference:
        difference += [f"- {place}" for place in (really - placed).elements()]
        difference += [f"+ {place}" for place in (placed - really).elements()]
    generated = _generated(_root(data))
    here, there = Counter(_lines(ours, generated)), Counter(_lines(theirs, generated))
    if not difference:
        difference += [f"- {line}" for line in (there - here).elements()]
        difference += [f"+ {line}" for line in (here - there).elements()]
    return FidelityOutcome(
        truth,
        None,
        answer=True,
        devices=mine == real,
        addresses=placed == really,
        lookups=done.lookups == truth.lookups,
        whole=here == there,
        difference=tuple(difference),
    )


def scores(outcomes: list[FidelityOutcome]) -> tuple[Score, ...]:
    """Accept or refuse over all files; the rest over those that both accept."""
    reached = []
    for name in SCORES:
        compared = [value for one in outcomes if (value := getattr(one, name)) is not None]
        reached.append(Score(name, sum(compared), len(compared)))
    return tuple(reached)


def _root(xml: bytes) -> etree._Element:
    """The definition, without what libvirt shows only to who asks for secrets."""
    root = etree.fromstring(xml, etree.XMLParser(remove_blank_text=True, remove_comments=True))
    for graphics in root.iterfind("devices/graphics"):
        if graphics.get("passwd") is not None:
            del graphics.attrib["passwd"]
    for source in [*root.iterfind("devices/disk//source")]:
        for cookies in source.findall("cookies"):
            source.remove(cookies)
    return root


def _devices(root: etree._Element) -> list[etree._Element]:
    return [child for child in root.iterfind("devices/*") if child.tag != "emulator"]


def _kind(device: etree._Element) -> str:
    """What kind of device it is: tag, type, model, bus, index."""
    words = [str(device.tag)]
    words += [
        f"{key}={device.get(key)}" for key in ("type", "device", "model", "bus", "index") if device.get(key)
    ]
    for path, keys in (("model", ("type", "name")), ("target", ("type", "bus", "dev")), ("model", ("name",))):
        if (child := device.find(path)) is not None:
            words += [f"{path}.{key}={child.get(key)}" for key in keys if child.get(key)]
    return " ".join(dict.fromkeys(words))


def _place(device: etree._Element) -> str:
    address = device.find("address")
    return _kind(device) + " @ " + ("nowhere" if address is None else _lone(address))


def _lone(node: etree._Element) -> str:
    return f"{node.tag!s} {_attributes(node)}"


def _attributes(node: etree._Element) -> str:
    return " ".join(f"{key!s}={value!s}" for key, value in sorted(node.items()))


def _generated(given: etree._Element) -> set[str]:
    """What the file leaves to be drawn at random, so that no two defines agree on it."""
    paths = {"/domain/uuid"} if given.find("uuid") is None else set()
    if any(nic.find("mac[@address]") is None for nic in given.iterfind("devices/interface")):
        paths.add("/domain/devices/interface/mac")
    if (genid := given.find("genid")) is not None and not genid.text:
        paths.add("/domain/genid")
    return paths


def _lines(root: etree._Element, generated: set[str]) -> Iterator[str]:
    """Every element with its path, attributes and text: equal multisets mean the same definition."""
    stack = [(root, "")]
    while stack:
        node, above = stack.pop()
        path = f"{above}/{node.tag!s}"
        if path in generated:
            continue
        text = (node.text or "").strip()
        yield f"{path} {_attributes(node)} {text}".strip()
        stack += [(child, path) for child in node]
