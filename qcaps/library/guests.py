"""A domain as the user of the library has it: a file, XML as text or bytes, or one of a scenario."""

from __future__ import annotations

import re
from os import PathLike, fspath
from pathlib import Path
from typing import NamedTuple

from qcaps.bounded import read_bounded
from qcaps.content import SHIPPED, ContentFolders
from qcaps.errors import QcapsError, UsageError

Guest = str | bytes | PathLike[str]
"""A domain: libvirt's XML as bytes or as text that begins with `<`, or the path of a file that holds it."""

NO_FILE = "<string>"
_DECLARATION = re.compile(r"\A\ufeff?<\?xml\b[^>]*\?>")


class Xml(NamedTuple):
    """A domain's XML, and what names it in errors: the file, or `NO_FILE`."""

    data: bytes
    source: str


def domain(
    name: str | PathLike[str],
    n: int = 0,
    *,
    seed: int = 0,
    grow: str = "",
    content: str | PathLike[str] | None = None,
) -> str:
    """The XML of a domain: of a scenario, or of a file.

    Args:
        name: a scenario, as in `disks` or `disks@pc` (`qcaps scenarios list` shows them), or a domain's file.
        n: how many devices of the scenario's kind, beside those that it always has.
        seed: draws what is random in a scenario; the same seed makes the same domain.
        grow: for a file: n devices of this scenario are added to it.
        content: a folder with `scenarios/` of your own.

    Raises:
        UsageError: there is no such scenario or file, or n is more than it can hold.
        QcapsError: the file holds no domain.
    """
    from qcaps.guest import resolve

    found = resolve(fspath(name), ContentFolders(Path(content)) if content else SHIPPED, grow=grow)
    if len(found) != 1:
        raise UsageError(f"{fspath(name)}: is a folder of {len(found)} domains: name one of its files")
    return found[0].xml(n, seed)


def xml_of(guest: Guest) -> Xml:
    """What a guest holds.

    Raises QcapsError for a file that cannot be read, UsageError where there is none.
    """
    if isinstance(guest, bytes):
        return Xml(guest, NO_FILE)
    if isinstance(guest, str) and guest.lstrip("\ufeff \t\r\n").startswith("<"):
        return Xml(_encoded(guest), NO_FILE)
    if not isinstance(guest, str | PathLike):
        raise UsageError(f"a domain is a path, str or bytes, not {type(guest).__name__}")
    path = fspath(guest)
    try:
        return Xml(read_bounded(path), path)
    except FileNotFoundError:
        hint = "; qcaps.domain(name, n) makes the XML of a scenario" if path and "/" not in path else ""
        raise UsageError(f"{path!r}: no such file{hint}") from None
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else None
        raise QcapsError(f"{path}: {why or error}") from None


def _encoded(text: str) -> bytes:
    """Text is no longer in the encoding that its first line may name."""
    try:
        return _DECLARATION.sub("", text).encode()
    except UnicodeEncodeError as error:
        raise QcapsError(f"{NO_FILE}: is no text that XML can hold: {error.reason}") from None
