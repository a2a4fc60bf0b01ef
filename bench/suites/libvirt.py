"""The usual measurement of a real libvirt, as it is and with one lookup a task."""

from collections.abc import Iterator

from qcaps.measure.cell import Cell, grid

SUMMARY = "the virt-install guest, disks and serial ports growing in n, on a real libvirt"
POLICIES = ("stock", "once")


def cells() -> Iterator[Cell]:
    """Define alone: what starts a QEMU takes most of its time there."""
    yield from grid(("simple",), (1,), ("define",), ("ctime",), POLICIES)
    yield from grid(("disks", "serials"), (1, 16, 64, 128), ("define",), ("ctime",), POLICIES)
