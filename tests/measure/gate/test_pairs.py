"""What a pair says: the median of its turns, whatever speed the machine had in them."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from qcaps.measure.cell import Cell
from qcaps.measure.gate.pair_store import paired
from qcaps.measure.gate.series import Pair, all_series
from qcaps.measure.results.results_file import Measured, Results, Run
from qcaps.measure.subject import Counts

CELL = Cell("disks", 4)


def side(*block: float, worker: int = 0) -> Results:
    return Results((Measured(CELL, Counts(1, 1, 1, 0, 0), (Run(worker, (block,), (), {}),)),))


def test_a_change_of_speed_within_a_block_does_not_show() -> None:
    base = side(2.8, 2.8, 2.8, 1.6, 1.6)  # it changes after head's third turn, before base's fourth
    head = side(2.8 * 1.05, 2.8 * 1.05, 2.8 * 1.05, 2.8 * 1.05, 1.6 * 1.05)
    ((pair,),) = paired(base, head).values()
    assert pair.head / pair.base == pytest.approx(1.05)


def test_a_block_all_in_one_speed_and_its_partner_in_two() -> None:
    base, head = side(1.6, 1.6, 1.6, 1.6, 2.8), side(2.8, 1.6, 1.6, 1.6, 2.8)
    ((pair,),) = paired(base, head).values()
    assert pair.head == pair.base == 1.6


def test_blocks_without_a_partner_are_dropped() -> None:
    assert paired(side(1.0, worker=1), side(1.0, worker=2)) == {CELL: []}


def test_a_line_is_of_one_host_and_a_difference_keeps_its_place() -> None:
    cells = [Cell("disks", n) for n in (1, 2, 3)]
    *_, slope, _ = all_series({cell: cell.n for cell in cells})
    rounds = [(0, "a", 1.1), (1, "b", 1.2), (2, "a", 1.3), (3, "b", 1.4)]
    pairs: dict[Cell, list[Pair]] = {cell: [] for cell in cells}
    seen: list[list[float]] = []
    for number, host, ratio in rounds:
        for cell in cells if number != 1 else cells[:2]:  # the third's pair of round 1 is missing
            speed = cell.n * (2 if host == "b" else 1)
            pairs[cell].append(Pair(speed, speed * ratio, host, number))
        seen.append(slope.differences(pairs))
    assert slope.hosts(pairs) == ["a", "a", "b"]
    assert all(before == after[: len(before)] for before, after in pairwise(seen))
    assert [round(math.exp(one), 6) for one in seen[-1][:2]] == [1.1, 1.3]
