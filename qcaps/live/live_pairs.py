"""Two libvirts side by side: a block of runs of one, then of the other, in an order that is drawn."""

from __future__ import annotations

from contextlib import ExitStack
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Generator

    from qcaps.live.host.libvirt_process import LibvirtProcess

BLOCKS_A_PROCESS = 8
"""What shares a pair of processes is one observation: where they lie in memory makes them faster or slower.
"""

_WARM_UP = 3


class LivePair(NamedTuple):
    """Nanoseconds: base's middle block, and as much times that as head's took in the middle pair."""

    base: float
    head: float


def pairs(
    openers: tuple[Callable[[], LibvirtProcess], Callable[[], LibvirtProcess]],
    task: str,
    xml: str,
    runs: int,
    draw: random.Random,
) -> Generator[LivePair, None, None]:
    """Pairs without end. Raises LiveError where a libvirt refuses the task."""
    while True:
        with ExitStack() as stack:
            opened = {side: stack.enter_context(openers[side]()) for side in draw.sample((0, 1), 2)}
            for side in draw.sample((0, 1), 2):
                opened[side].costs(task, xml, [False] * _WARM_UP)
            blocks = [_blocks(opened, task, xml, runs, draw) for _ in range(BLOCKS_A_PROCESS)]
        middle = median(block[0] for block in blocks)
        yield LivePair(middle, middle * median(block[1] / block[0] for block in blocks))


def _blocks(
    opened: dict[int, LibvirtProcess], task: str, xml: str, runs: int, draw: random.Random
) -> dict[int, int]:
    """The quickest run of a block of each, the first one drawn."""
    return {
        side: min(cost.ns for cost in opened[side].costs(task, xml, [False] * runs))
        for side in draw.sample((0, 1), 2)
    }
