"""What a real libvirt made of a domain: a value, and how such values are recorded.

A record is a directory with `in/` (domain files), `index.json` (accepted or the error, lookups by file) and
`defined/` (the resulting XML).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lxml import etree

from qcaps.bounded import read_bounded, read_json
from qcaps.errors import QcapsError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True)
class Truth:
    """What the real one made of a domain; `xml` is empty for a refused one.

    `death` says how libvirt ended in the middle of it: then it gave no answer.
    """

    name: str
    data: bytes
    accepted: bool
    error: str
    lookups: int
    xml: bytes
    death: str = ""


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


def stand_in(data: bytes, emulator: str | None) -> bytes:
    """The domain with another emulator, also where it names none and libvirt would look for one.

    An i686 guest becomes an x86_64 one with it (see QemuDriver). Raises XMLSyntaxError.
    """
    root = etree.fromstring(data)
    if emulator is not None:
        named = root.findall("devices/emulator")
        for node in named:
            node.text = emulator
        if not named:
            devices = root.find("devices")
            devices = etree.SubElement(root, "devices") if devices is None else devices
            etree.SubElement(devices, "emulator").text = emulator
        kind = root.find("os/type")
        if kind is not None and kind.get("arch") == "i686":
            kind.set("arch", "x86_64")
    return etree.tostring(root, encoding="utf-8")
