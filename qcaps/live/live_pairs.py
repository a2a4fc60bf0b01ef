"""Two libvirts side by side: a block of runs of one, then of the other, in an order that is drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Generator

    from qcaps.live.host.libvirt_process import LibvirtProcess

PAIRS_A_PROCESS = 8
"""Then both are started afresh: where a process happens to lie in memory makes it faster or slower."""

_WARM_UP = 3


class LivePair(NamedTuple):
    """The fastest run of each block, in nanoseconds."""

    base: int
    head: int


def pairs(
    openers: tuple[Callable[[], LibvirtProcess], Callable[[], LibvirtProcess]],
    task: str,
    xml: str,
    runs: int,
    draw: random.Random,
) -> Generator[LivePair, None, None]:
    """Pairs without end. Raises LiveError where a libvirt refuses the task."""
    while True:
        with openers[0]() as base, openers[1]() as head:
            for subject in (base, head):
                subject.costs(task, xml, [False] * _WARM_UP)
            for _ in range(PAIRS_A_PROCESS):
                best = {}
                for side in draw.sample((0, 1), 2):
                    costs = (base, head)[side].costs(task, xml, [False] * runs)
                    best[side] = min(cost.ns for cost in costs)
                yield LivePair(best[0], best[1])
