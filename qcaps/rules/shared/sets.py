"""Sets of numbers as libvirt writes them."""

from __future__ import annotations

from qcaps.domainxml.syntax import cpuset, runs


def ranges(numbers: int) -> str:
    """`numbers` as 0-3,8.

    Follows: virBitmapFormat
    """
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in runs(numbers))


def canonical(text: str) -> str:
    """A set of numbers written in libvirt's way: ascending, ranges joined, nothing taken away again."""
    return str(int(text)) if text.isdecimal() else ranges(cpuset(text))
