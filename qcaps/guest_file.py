"""Reads a domain of the user's: from a regular file or standard input, bounded, in any encoding.

Nothing that could block or act is opened: a pipe or a device is refused by its name alone.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from lxml import etree

from qcaps import untrusted_xml
from qcaps.errors import QcapsError

if TYPE_CHECKING:
    from lxml.etree import _Element

MOST_BYTES: Final = 10 * 1024 * 1024
"""The largest file that is taken; a domain with 40,000 devices has about as many."""

_DECLARATION: Final = re.compile(r"\A<\?xml\b[^>]*\?>")
_PLAIN: Final = ("UTF-8", "US-ASCII", "ASCII", "")
_KINDS: Final = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISSOCK, "a socket"),
)


def read_guest(source: Path | IO[bytes]) -> bytes:
    """The bytes of a file, or of a stream that is open. Raises QcapsError with one line."""
    if not isinstance(source, Path):
        return _bounded(source, "standard input")
    try:
        _refuse_special(source.stat().st_mode, source)
        # It may have become another one since: this does not wait for a pipe's other end
        descriptor = os.open(source, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:  # noqa: PTH123  # a descriptor
            _refuse_special(os.fstat(descriptor).st_mode, source)
            return _bounded(file, str(source))
    except OSError as error:
        raise QcapsError(f"{source}: cannot be read: {error.strerror or error}") from None


def document_of(data: bytes, source: str = "<string>") -> _Element:
    """The `<domain>` in `data`; `source` names it in errors. Raises QcapsError: `FILE:LINE: why`.

    A document type is refused, so that no entity is expanded and nothing is fetched.
    """
    if not data.strip():
        raise QcapsError(f"{source}:1: is empty; expected <domain>")
    if len(data) > MOST_BYTES:
        raise QcapsError(f"{source}:1: is larger than {MOST_BYTES >> 20} MiB, which no domain is")
    parser = untrusted_xml.parser(comments=True)
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        first = next(iter(parser.error_log), None)
        line, why = (first.line, first.message) if first is not None else (error.lineno, error.msg)
        raise QcapsError(f"{source}:{line or 1}: is not XML: {why}") from None
    except (LookupError, ValueError) as error:  # an encoding that nobody knows
        raise QcapsError(f"{source}:1: is not XML: {error}") from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise QcapsError(f"{source}:1: has a document type (<!DOCTYPE …>): remove it")
    if root.tag != "domain":
        raise QcapsError(
            f"{source}:{root.sourceline or 1}: <{root.tag}> is no <domain>, as virsh dumpxml gives"
        )
    return root


def text_of(data: bytes) -> str:
    """The document as text that every reader takes: no declaration, no byte order mark, line for line."""
    tree = document_of(data).getroottree()
    if (tree.docinfo.encoding or "").upper() not in _PLAIN:
        return etree.tostring(tree, encoding="unicode")
    return _DECLARATION.sub("", data.decode("utf-8-sig"))


def _refuse_special(mode: int, path: Path) -> None:
    for is_kind, kind in _KINDS:
        if is_kind(mode):
            why = "hand it in on standard input, as -" if kind == "a pipe" else "name a file"
            raise QcapsError(f"{path}: is {kind}, not a file: {why}")


def _bounded(file: IO[bytes], name: str) -> bytes:
    data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise QcapsError(f"{name}:1: is larger than {MOST_BYTES >> 20} MiB, which no domain is")
    return data
