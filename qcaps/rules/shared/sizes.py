"""Sizes in the unit that libvirt writes them in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from qcaps.domainxml.codec import Element, evolve
from qcaps.domainxml.memory import kib
from qcaps.domainxml.syntax import scaled
from qcaps.rules.refusal import Refused

if TYPE_CHECKING:
    from qcaps.domainxml.memory import Size

_E = TypeVar("_E", bound=Element)

_UNITS = ("KiB", "MiB", "GiB", "TiB", "PiB")


def in_kib(size: Size, default_unit: str = "KiB") -> Any:  # noqa: ANN401  # the class of `size`
    """`size` in KiB, rounded up."""
    if size.unit == "KiB":
        return size
    return evolve(size, value=kib(size, default_unit), unit="KiB")


def attribute_in_kib(element: _E, field: str) -> _E:
    """`element` with the size in its attribute `field` (unit in `unit`) in KiB."""
    values = element.__dict__
    if values.get("unit") == "KiB" or values.get(field) is None:
        return element
    try:
        size = scaled(values[field], values.get("unit"))
    except ValueError as error:
        raise Refused(f"XML error: {error}", element) from None
    return evolve(element, **{field: -(-size // 1024), "unit": "KiB"})


def in_bytes(size: Size, default_unit: str) -> int:
    """`size` in bytes, 0 where it has no number."""
    try:
        return scaled(size.value or 0, size.unit, default_unit)
    except ValueError as error:
        raise Refused(f"XML error: {error}", size) from None


def pretty(size: int) -> tuple[int, str]:
    """`size` bytes as a whole number of the largest unit that has one."""
    if size == 0 or size % 1024:
        return size, "B"
    size //= 1024
    for unit in _UNITS[:-1]:
        if size % 1024:
            return size, unit
        size //= 1024
    return size, _UNITS[-1]
