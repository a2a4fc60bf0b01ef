"""How noisy and how slow this machine is at the moment: forks, the clock, equal pieces of work."""

from __future__ import annotations

import os
import statistics
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_FORKS = 50
_READINGS = 200
_BLOCKS = 150
_BLOCK_SECONDS = 0.002
_BUDGET_SECONDS = 2.0


def fork_cost_us() -> float:
    """Median microseconds of fork, immediate exit and wait in this process as it is now."""
    costs = []
    for _ in range(_FORKS):
        start = time.perf_counter_ns()
        child = os.fork()
        if child == 0:
            os._exit(0)
        os.waitpid(child, 0)
        costs.append((time.perf_counter_ns() - start) / 1000)
    return statistics.median(costs)


def timer_step_ns() -> float:
    """Median nanoseconds between two different readings of the clock that everything is timed with."""
    steps = []
    for _ in range(_READINGS):
        start = time.perf_counter_ns()
        while (now := time.perf_counter_ns()) == start:
            pass
        steps.append(now - start)
    return statistics.median(steps)


def spread(blocks: Sequence[float]) -> tuple[float, float]:
    """Median absolute deviation, and the distance of the halves' medians, in percent of the median."""
    middle = statistics.median(blocks)
    mad = statistics.median(abs(one - middle) for one in blocks)
    half = len(blocks) // 2
    drift = abs(statistics.median(blocks[half:]) - statistics.median(blocks[:half]))
    return 100 * mad / middle, 100 * drift / middle


def time_blocks(count: int = _BLOCKS) -> list[float]:
    """Seconds of equal pieces of work of about 2 ms, fewer than `count` if the machine is that slow."""
    start = time.perf_counter()
    _sum_of_squares(10_000)
    rounds = max(1, round(10_000 * _BLOCK_SECONDS / (time.perf_counter() - start)))
    end = time.perf_counter() + _BUDGET_SECONDS
    blocks: list[float] = []
    while len(blocks) < count and (len(blocks) < 4 or time.perf_counter() < end):  # noqa: PLR2004  # two halves
        start = time.perf_counter()
        _sum_of_squares(rounds)
        blocks.append(time.perf_counter() - start)
    return blocks


def _sum_of_squares(rounds: int) -> int:
    total = 0
    for number in range(rounds):
        total = (total + number * number) & 0xFFFF
    return total
