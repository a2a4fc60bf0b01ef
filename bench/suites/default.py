"""The usual measurement: about ten minutes."""

from collections.abc import Iterator

from qcaps.measure.cell import Cell, grid

SUMMARY = "the virt-install guest, and three kinds of device growing in n, with and without forks"
POLICIES = ("naive", "series", "once", "once-abort", "oracle")


def cells() -> Iterator[Cell]:
    """The simple guest on every validity; growing scenarios with the fork and with ctimes."""
    yield from grid(("simple",), (1,), ("define+undefine",), ("fork", "ctime", "watch", "trust"), POLICIES)
    for validity in ("fork", "ctime"):
        yield from grid(("disks", "channels"), (1, 4, 16, 64, 128), ("define",), (validity,), POLICIES)
        yield from grid(("serials", "s390x-ccw"), (1, 4, 16, 64, 256), ("define",), (validity,), POLICIES)
