"""What `qcaps gate` judges of two libvirts: define and attach of small guests, and disks growing in n."""

from collections.abc import Iterator

from qcaps.measure.cell import Cell, grid

SUMMARY = "define and attach of small guests, and disks growing in n, for the gate of two libvirts"


def cells() -> Iterator[Cell]:
    """Milliseconds each; the family gives a slope and an intercept. A start takes its time in QEMU."""
    yield from grid(("simple",), (1,), ("define", "attach"), ("ctime",), ("stock",))
    yield from grid(("disks",), (1, 8, 32), ("define",), ("ctime",), ("stock",))
