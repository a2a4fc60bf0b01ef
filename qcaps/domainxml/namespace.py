"""What stands in QEMU's own namespace: arguments, environment and flags handed through as they are."""

from __future__ import annotations

from collections.abc import Iterator

from lxml import etree

from qcaps.domainxml.domain import Domain

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


def qemu_overrides(domain: Domain) -> dict[str, list[tuple[str, str | int | bool | None]]]:
    """The properties that `<qemu:override>` sets, by the alias of their device; None takes one away."""
    found: dict[str, list[tuple[str, str | int | bool | None]]] = {}
    for node in _elements(domain, "override"):
        for device in node.iterfind(_tag("device")):
            own = found.setdefault(device.get("alias", ""), [])
            own += [
                (one.get("name", ""), _typed(one.get("type", ""), one.get("value", "")))
                for frontend in device.iterfind(_tag("frontend"))
                for one in frontend.iterfind(_tag("property"))
            ]
    return found


def qemu_deprecation(domain: Domain) -> str | None:
    """What `<qemu:deprecation>` asks of QEMU where something deprecated is used."""
    named = (node.get("behavior") for node in _elements(domain, "deprecation"))
    return next((behavior for behavior in named if behavior is not None), None) or None


def whole(text: str) -> int:
    """The number that C would read; zeros before it, however many, do not count."""
    digits = text.strip()
    negative = digits.startswith("-")
    number = int(digits.lstrip("+-").lstrip("0")[:_MOST_DIGITS] or "0")
    return -number if negative else number


_MOST_DIGITS = 30
"""More than 64 bits hold: what is cut off there is too large either way."""


def _typed(kind: str, value: str) -> str | int | bool | None:
    if kind == "remove":
        return None
    if kind == "bool":
        return value == "true"
    return whole(value) if kind in ("signed", "unsigned") else value


def _values(domain: Domain, parent: str, tag: str, key: str) -> Iterator[tuple[str, str]]:
    for node in _elements(domain, parent):
        for child in node.iterfind(_tag(tag)):
            yield child.get(key, ""), child.get("value" if tag == "env" else key, "")


def _elements(domain: Domain, name: str) -> Iterator[etree._Element]:
    for raw in domain.unknown_children:
        if QEMU.encode() not in raw:
            continue
        node = etree.fromstring(raw)
        if node.tag == _tag(name):
            yield node


def _tag(name: str) -> str:
    return f"{{{QEMU}}}{name}"
