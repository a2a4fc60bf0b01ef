"""Reads a domain from a file and writes it back.

Whatever is wrong with the text becomes a `DomainError`: one line, `FILE:LINE: ELEMENT: why`. A document type
is refused, so no entity is ever expanded and nothing is fetched; comments and processing instructions are
dropped. libxml2 bounds the depth (256 levels) and the length of a text (10 MB).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, cast

from lxml import etree

from qcaps import untrusted_xml
from qcaps.bounded import UnreadableError, read_bounded
from qcaps.domainxml import features
from qcaps.domainxml.codec import Element, XmlError, read, write, xml_names
from qcaps.domainxml.devices import KINDS, AnyDevice
from qcaps.domainxml.domain import Domain
from qcaps.domainxml.element import LIBVIRT, line_of
from qcaps.domainxml.memory import Size, SizeError, kib
from qcaps.errors import QcapsError
from qcaps.release import DEFAULT, R11_3, Release

MAX_BYTES = 64 * 1024 * 1024
"""The largest file that is read; a domain with 100,000 devices takes about 25 MB."""

_MOST_CHILDREN = 1 << 17
_MOST_ELEMENTS = 1_000_000
_MOST_ATTRIBUTES = 1000
"""An element with n attributes takes time that grows with n squared: 0.002 s for a thousand."""

_BULKY = (
    # what it takes in bytes at least, what is counted, where there are too many
    (4 * _MOST_CHILDREN, f"children; at most {_MOST_CHILDREN:,}", f"//*[count(*) > {_MOST_CHILDREN}]"),
    (
        4 * _MOST_ELEMENTS,
        f"elements below it; at most {_MOST_ELEMENTS:,}",
        f"/*[count(//*) > {_MOST_ELEMENTS}]",
    ),
)
"""What no domain has and what makes one slow to read; asked only of a text that is long enough."""

_CLOSED: tuple[tuple[str, type[Element]], ...] = (
    ("features", features.Features),
    ("features/hyperv", features.Hyperv),
    ("features/hyperv/stimer", features.HypervStimer),
    ("features/kvm", features.Kvm),
    ("features/xen", features.Xen),
)
"""Where libvirt refuses a child it does not know; anywhere else it passes over it."""

_ONCE = (
    "genid",
    "numatune",
    "cpu[1]/cache",
    "os/acpi/table",
    "devices/watchdog",
    "devices/memballoon",
    "devices/nvram",
    "devices/redirfilter",
    "devices/iommu",
    "devices/vsock",
)
"""What libvirt refuses to see twice; of anything else it takes the first."""

_KINDS = {kind.TAG: kind for kind in KINDS}

_Node = etree._Element  # noqa: SLF001  # lxml-stubs names the element class only so

_MANY_SINCE: dict[str, Release] = {"devices/watchdog": R11_3, "os/acpi/table": R11_3}
"""What may be there more than once since a release."""
_NEVER = Release(9999, 0)


class DomainError(QcapsError):
    """A domain that cannot be read: `FILE:LINE: ELEMENT: why`."""

    def __init__(self, source: str, line: int, path: str, why: str) -> None:
        self.source = source
        self.line = line
        self.path = path
        self.why = why
        super().__init__(_one_line(f"{source}:{line}: {path}: {why}"))


def load(path: str | os.PathLike[str], max_bytes: int = MAX_BYTES) -> Domain:
    """The domain in the file at `path`. Raises DomainError, also for a file that cannot be read."""
    source = os.fspath(path)
    try:
        data = read_bounded(source, max_bytes)
    except UnreadableError as error:
        raise DomainError(source, 0, "file", str(error).removeprefix(f"{source}: ")) from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise DomainError(source, 0, "file", f"cannot be read: {why}") from None
    return parse(data, source, max_bytes)


def parse(
    data: bytes,
    source: str = "<string>",
    max_bytes: int = MAX_BYTES,
    *,
    strangers: bool = True,
    release: Release = DEFAULT,
) -> Domain:
    """The domain that `data` describes to libvirt of that release; `source` names it in errors.

    Raises DomainError.

    Without `strangers`, what libvirt does not know is dropped, as it drops it.
    """
    root = _root(data, source, max_bytes)
    try:
        _refuse_bulk(root, data)
        _refuse_shapes(root, release)
        domain = read(Domain, root, strangers=strangers, release=release)
        _refuse_values(root, domain)
    except XmlError as error:
        raise DomainError(source, error.line, error.path, error.why) from None
    return domain


def parse_device(
    data: bytes, source: str = "<string>", max_bytes: int = MAX_BYTES, *, release: Release = DEFAULT
) -> AnyDevice:
    """The one device that `data` describes, as attach and detach take it. Raises DomainError."""
    root = _root(data, source, max_bytes)
    try:
        _refuse_bulk(root, data)
    except XmlError as error:
        raise DomainError(source, error.line, error.path, error.why) from None
    kind = _KINDS.get(str(root.tag))
    if kind is None:
        path = f"/{root.tag}"
        raise DomainError(source, line_of(root), path, f"is no device kind that {LIBVIRT} knows")
    try:
        return cast("AnyDevice", read(kind, root, strangers=False, release=release))
    except XmlError as error:
        raise DomainError(source, error.line, error.path, error.why) from None


def format(domain: Domain) -> str:  # noqa: A001  # document.format(domain) reads as intended
    """The XML of `domain`, laid out as libvirt does; reading it again gives an equal domain."""
    return write(domain)


def _root(data: bytes, source: str, max_bytes: int) -> _Node:
    if not data.strip():
        raise DomainError(source, 1, "document", "is empty; expected <domain>")
    if len(data) > max_bytes:
        raise DomainError(source, 1, "document", f"is larger than {max_bytes} bytes")
    parser = untrusted_xml.parser()
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        first = next(iter(parser.error_log), None)
        line, why = (first.line, first.message) if first is not None else (error.lineno, error.msg)
        raise DomainError(source, line or 1, "document", f"is not XML: {why}") from None
    except (LookupError, ValueError) as error:  # an encoding that nobody knows
        raise DomainError(source, 1, "document", f"is not XML: {error}") from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise DomainError(source, 1, "document", "has a document type (<!DOCTYPE …>); remove it")
    return root


def _refuse_bulk(root: _Node, data: bytes) -> None:
    # Each attribute has its sign; and this path stops at the first one too many, where counting counts all.
    if data.count(b"=") > _MOST_ATTRIBUTES:
        for attribute in cast("list[Any]", root.xpath(f"//@*[{_MOST_ATTRIBUTES + 1}]")):
            raise XmlError(attribute.getparent(), f"has too many attributes; at most {_MOST_ATTRIBUTES:,}")
    for least, what, path in _BULKY:
        if len(data) > least and (found := cast("list[_Node]", root.xpath(path))):
            raise XmlError(found[0], f"has too many {what}")


def _refuse_shapes(root: _Node, release: Release) -> None:
    if root.tag != Domain.TAG:
        raise XmlError(root, "is not <domain>")
    for path, cls in _CLOSED:
        known = xml_names(cls, release)
        for node in root.iterfind(path):
            for child in node:
                if isinstance(child.tag, str) and child.tag not in known:
                    raise XmlError(child, f"is no word libvirt {release}.0 knows in <{node.tag}>")
    for path in _ONCE:
        if len(found := root.findall(path)) > 1 and release < _MANY_SINCE.get(path, _NEVER):
            raise XmlError(found[1], "may appear only once")


def _refuse_values(root: _Node, domain: Domain) -> None:
    if not domain.name:
        raise XmlError(root, "<name> is missing")
    if not (domain.os.type and domain.os.type.value) and not domain.bootloader:
        raise XmlError(root, "an os <type> must be given")
    for path, size, unit in _sizes(domain):
        try:
            kib(size, unit)
        except SizeError as error:
            raise XmlError(root.findall(path)[0], error.why) from None


def _sizes(domain: Domain) -> Iterator[tuple[str, Size | None, str]]:
    yield "memory", domain.memory, "KiB"
    yield "currentMemory", domain.current_memory, "KiB"
    yield "maxMemory", domain.max_memory, "KiB"
    if domain.memtune is not None:
        for name in ("hard_limit", "soft_limit", "min_guarantee", "swap_hard_limit"):
            yield f"memtune/{name}", getattr(domain.memtune, name), "KiB"
    if domain.features is not None and domain.features.smm is not None:
        yield "features/smm/tseg", domain.features.smm.tseg, "MiB"
    if domain.features is not None and domain.features.hpt is not None:
        yield "features/hpt/maxpagesize", domain.features.hpt.maxpagesize, "KiB"
    if domain.features is not None and domain.features.tcg is not None:
        yield "features/tcg/tb-cache", domain.features.tcg.tb_cache, "KiB"


def _one_line(text: str) -> str:
    printable = text.encode("utf-8", "backslashreplace").decode()
    return "".join(char if char.isprintable() else " " for char in printable)
