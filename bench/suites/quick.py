"""What half a minute can tell."""

from collections.abc import Iterator

from qcaps.measure.cell import Cell, grid

SUMMARY = "the virt-install guest, disks and serial ports, in 30 s"
POLICIES = ("naive", "series", "once")


def cells() -> Iterator[Cell]:
    """Few enough comparisons that each gets two seconds."""
    yield from grid(("simple",), (1,), ("define+undefine",), ("fork", "ctime"), POLICIES)
    yield from grid(("disks", "serials"), (1, 8, 64), ("define",), ("fork", "ctime"), POLICIES)
