"""Every way to share lookups with every way to check an entry."""

from collections.abc import Iterator

from qcaps.measure.cell import Cell, grid

SUMMARY = "each policy of note under each validity, on the virt-install guest and on 64 disks"
POLICIES = ("naive", "stock", "series", "once", "once-abort", "oracle")
VALIDITIES = ("fork", "ctime", "watch", "trust")


def cells() -> Iterator[Cell]:
    """A comparison a validity; what differs by validity is compared over processes."""
    yield from grid(("simple",), (1,), ("define",), VALIDITIES, POLICIES)
    yield from grid(("disks@pc",), (64,), ("define",), VALIDITIES, POLICIES)
