"""What the reference report shows: growth, ladder, matrix, and the domains real libvirt was timed with."""

from collections.abc import Iterator

from qcaps.measure.cell import Cell, grid

SUMMARY = "all that a report has a section for: about half an hour"
GROWING = ("naive", "series", "once", "once-abort", "oracle")
LADDER = ("naive", *(f"patch-{number}" for number in range(1, 12)))
MATRIX = ("naive", "stock", "series", "once", "once-abort", "oracle")


def cells() -> Iterator[Cell]:
    """The guests of real libvirt's points (`reports/data/real.json`) under the fork, and their like."""
    yield from grid(("simple",), (1,), ("define+undefine",), ("fork", "ctime"), GROWING)
    yield from grid(("simple",), (1,), ("define",), ("fork", "ctime", "watch", "trust"), MATRIX)
    yield from grid(("disks@pc",), (0, 1, 4, 16, 64, 128, 256), ("define",), ("fork", "ctime"), GROWING)
    yield from grid(("channels", "serials"), (1, 4, 16, 64, 128), ("define",), ("fork", "ctime"), GROWING)
    # by its full name, so that the ladder is a comparison of its own: fewer arms, more rounds
    yield from grid(("simple@pc",), (1,), ("define", "start", "createXML"), ("fork",), LADDER)
