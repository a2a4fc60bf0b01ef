"""What each policy makes of a binary that is replaced in the middle of its tasks."""

from collections.abc import Iterator

from qcaps.measure.cell import Cell, grid
from qcaps.measure.torn.experiment import TornArm

SUMMARY = "policies while another process replaces the QEMU binary (qcaps torn); qcaps run: their price"

SCENARIO = "disks"
N = 4
REMOVED = ("pcie-root-port",)
"""Both sets accept the domain: with the flag its root ports are of one model, without it of another."""

POLICIES = ("naive", "series", "once", "once-abort")


def arms() -> Iterator[TornArm]:
    """The policies on what we see of the binary (nanoseconds, inode, size), then on what libvirt sees."""
    for whole_seconds in (False, True):
        yield from (TornArm(policy, whole_seconds) for policy in POLICIES)
        yield TornArm("once-abort", whole_seconds, retries=3)


def cells() -> Iterator[Cell]:
    """The same domain and policies with nothing replaced."""
    yield from grid((SCENARIO,), (N,), ("define", "redefine"), ("ctime",), POLICIES)
