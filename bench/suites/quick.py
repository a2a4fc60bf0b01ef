"""What half a minute can tell: the headline first, and few enough comparisons that each gets its pairs."""

from collections.abc import Iterator

from qcaps.measure.cell import Cell, grid

SUMMARY = "the virt-install guest and serial ports, checked as today; the guest as before 4.10; in 30 s"
POLICIES = ("naive", "once")


def cells() -> Iterator[Cell]:
    """Five seconds each; what is history comes last."""
    yield from grid(("simple",), (1,), ("define",), ("ctime",), POLICIES)
    yield from grid(("serials",), (64, 16, 1), ("define",), ("ctime",), POLICIES)
    yield from grid(("simple",), (1,), ("define",), ("fork",), POLICIES)
