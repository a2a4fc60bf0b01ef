"""A cell survives a file; comparisons are cells that differ in their policy alone."""

from __future__ import annotations

import json

import pytest

from qcaps.errors import QcapsError, UsageError
from qcaps.measure.cell import Cell, by_comparison, grid
from qcaps.measure.schedule import with_baseline
from qcaps.measure.suite import Choice, choose, names, suite

CELL = Cell("disks@pc", 16, "define+undefine", "ctime", "once", seed=7)


def test_a_cell_survives_json() -> None:
    assert Cell.from_plain(json.loads(json.dumps(CELL.to_plain()))) == CELL


def test_other_keys_are_ignored_and_missing_ones_named() -> None:
    plain = CELL.to_plain()
    assert Cell.from_plain({**plain, "name": "x"}) == CELL
    del plain["task"]
    with pytest.raises(QcapsError, match="task"):
        Cell.from_plain(plain)


def test_arms_of_a_comparison_differ_in_policy_only() -> None:
    cells = (*grid(("disks", "usb"), (1, 4), policies=("naive", "once")), Cell("usb", 4, policy="once"))
    groups = by_comparison(cells)
    assert [(comparison.scenario, comparison.n) for comparison in groups] == [
        ("disks", 1),
        ("disks", 4),
        ("usb", 1),
        ("usb", 4),
    ]
    assert all([cell.policy for cell in arms] == ["naive", "once"] for arms in groups.values())


def test_a_missing_baseline_is_added_first_and_a_present_one_moved() -> None:
    cells = (*grid(("disks",), (1,), policies=("once", "naive")), Cell("usb", 1, policy="once"))
    assert [(cell.scenario, cell.policy) for cell in with_baseline(cells)] == [
        ("disks", "naive"),
        ("disks", "once"),
        ("usb", "naive"),
        ("usb", "once"),
    ]


@pytest.mark.parametrize("name", names())
def test_every_suite_that_ships_has_cells_its_scenarios_can_make(name: str) -> None:
    found = suite(name)
    assert found.summary
    assert found.cells
    assert set(choose(found.cells, Choice())) == set(found.cells)


def test_what_the_user_names_replaces_the_suites_own() -> None:
    cells = tuple(grid(("disks", "usb"), (1, 4), validities=("fork", "ctime"), policies=("naive", "once")))
    chosen = choose(cells, Choice(scenarios=("simple",), validities=("trust",)))
    assert chosen == tuple(grid(("simple",), (1,), validities=("trust",), policies=("naive", "once")))
    assert {cell.n for cell in choose(cells, Choice(ns=(9,)))} == {9}


def test_an_unknown_suite_is_told_which_there_are() -> None:
    with pytest.raises(UsageError, match=r"choose from .*default.*quick"):
        suite("nope")
