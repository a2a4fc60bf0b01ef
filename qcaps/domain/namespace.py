"""What stands in QEMU's own namespace: arguments, environment and flags handed through as they are."""

from __future__ import annotations

from collections.abc import Iterator

from lxml import etree

from qcaps.domain.domain import Domain

QEMU = "http://libvirt.org/schemas/domain/qemu/1.0"


def qemu_arguments(domain: Domain) -> tuple[str, ...]:
    """What `<qemu:commandline>` adds to QEMU's arguments, in document order."""
    return tuple(value for _, value in _values(domain, "commandline", "arg", "value"))


def qemu_environment(domain: Domain) -> tuple[tuple[str, str], ...]:
    """What `<qemu:commandline>` adds to QEMU's environment; a variable without a value is empty."""
    return tuple(_values(domain, "commandline", "env", "name"))


def qemu_flags(domain: Domain) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The capability flags that `<qemu:capabilities>` adds and takes away when the domain starts."""
    added = tuple(flag for _, flag in _values(domain, "capabilities", "add", "capability"))
    taken = tuple(flag for _, flag in _values(domain, "capabilities", "del", "capability"))
    return added, taken


def _values(domain: Domain, parent: str, tag: str, key: str) -> Iterator[tuple[str, str]]:
    for raw in domain.unknown_children:
        if QEMU.encode() not in raw:
            continue
        node = etree.fromstring(raw)
        if node.tag != f"{{{QEMU}}}{parent}":
            continue
        for child in node.iterfind(f"{{{QEMU}}}{tag}"):
            yield child.get(key, ""), child.get("value" if tag == "env" else key, "")
