"""What a pair says: the median of its turns, whatever speed the machine had in them."""

from __future__ import annotations

import pytest

from qcaps.measure.cell import Cell
from qcaps.measure.gate.pair_store import paired
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
