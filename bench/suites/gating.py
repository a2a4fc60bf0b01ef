"""What `qcaps gate` judges: quick tasks, one family growing in n, so that a verdict takes seconds."""

from collections.abc import Iterator

from qcaps.measure.cell import Cell, grid

SUMMARY = "define, define+undefine and start of small guests, and disks growing in n, for the gate"


def cells() -> Iterator[Cell]:
    """Milliseconds each; the family gives a slope and an intercept, the last one forks."""
    yield from grid(("simple",), (1,), ("define+undefine", "start"), ("ctime",), ("naive",))
    yield from grid(("disks",), (1, 8, 32), ("define",), ("ctime",), ("once",))
    yield from grid(("serials",), (4,), ("define",), ("fork",), ("once",))
