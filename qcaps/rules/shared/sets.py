"""Sets of numbers as libvirt writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcaps.domain.syntax import cpuset

if TYPE_CHECKING:
    from collections.abc import Iterable


def ranges(numbers: Iterable[int]) -> str:
    """`numbers` as 0-3,8."""
    parts: list[str] = []
    first = last = -2
    for number in sorted(numbers):
        if number == last + 1:
            last = number
            continue
        if first >= 0:
            parts.append(_part(first, last))
        first = last = number
    if first >= 0:
        parts.append(_part(first, last))
    return ",".join(parts)


def canonical(text: str) -> str:
    """A set of numbers written in libvirt's way: ascending, ranges joined, nothing taken away again."""
    return text if text.isdecimal() else ranges(cpuset(text))


def _part(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}-{last}"
