"""Two definitions beside each other: devices, their places, and every line."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from lxml import etree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_UUID: Final = re.compile(r"[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}")
_MAC: Final = re.compile(r"(?<![0-9a-f:])[0-9a-f]{1,2}(?::[0-9a-f]{1,2}){5}(?![0-9a-f:])")
_VENDOR: Final = len("52:54:00")
"""What is drawn of a MAC address comes after its vendor's three bytes."""


@dataclass(frozen=True)
class Likeness:
    """What two definitions have in common, and the lines by which they differ: ours with a plus."""

    devices: bool
    addresses: bool
    whole: bool
    difference: tuple[str, ...]


def beside(ours: bytes, theirs: bytes, given: bytes) -> Likeness:
    """Our definition beside theirs; what is in neither's file `given`, being drawn at random, is alike."""
    drawn = partial(_as_drawn, given=_fixed(given.decode("utf-8", "replace")))
    mine, real = _root(ours), _root(theirs)
    kinds, places, lines = (
        _difference(of(mine), of(real)) for of in (_kinds, _places, partial(_lines, shown=drawn))
    )
    return Likeness(not kinds, not places, not lines, kinds or places or lines)


def _difference(ours: Iterator[str], theirs: Iterator[str]) -> tuple[str, ...]:
    mine, real = Counter(ours), Counter(theirs)
    missing = [f"- {one}" for one in (real - mine).elements()]
    return (*missing, *(f"+ {one}" for one in (mine - real).elements()))


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


def _kinds(root: etree._Element) -> Iterator[str]:
    return map(_kind, _devices(root))


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


def _places(root: etree._Element) -> Iterator[str]:
    for device in _devices(root):
        address = device.find("address")
        at = "nowhere" if address is None else f"{address.tag!s} {_attributes(address)}"
        yield f"{_kind(device)} @ {at}"


def _attributes(node: etree._Element, shown: Callable[[str], str] = str) -> str:
    return " ".join(f"{key!s}={shown(str(value))}" for key, value in sorted(node.items()))


def _lines(root: etree._Element, shown: Callable[[str], str]) -> Iterator[str]:
    """Every element with its path, attributes and text: equal multisets mean the same definition."""
    stack = [(root, "")]
    while stack:
        node, above = stack.pop()
        path = f"{above}/{node.tag!s}"
        text = shown((node.text or "").strip())
        yield f"{path} {_attributes(node, shown)} {text}".strip()
        stack += [(child, path) for child in node]


def _fixed(text: str) -> frozenset[str]:
    """The UUIDs and MAC addresses that a file states, however it spells them."""
    text = text.lower()
    uuids = {found[0].replace("-", "") for found in _UUID.finditer(text)}
    # libvirt reads a UUID with dashes anywhere
    uuids |= {word.replace("-", "") for word in re.findall(r"[0-9a-f-]{32,}", text)}
    return frozenset(uuids | {_padded(found[0]) for found in _MAC.finditer(text)})


def _as_drawn(value: str, given: frozenset[str]) -> str:
    """A UUID or MAC address that nobody gave as what it is: drawn."""
    lower = value.lower()
    if _UUID.fullmatch(lower) and lower.replace("-", "") not in given:
        return "(drawn)"
    if _MAC.fullmatch(lower) and (address := _padded(lower)) not in given:
        return f"{address[:_VENDOR]}:(drawn)"
    return value


def _padded(mac: str) -> str:
    return ":".join(part.zfill(2) for part in mac.split(":"))
