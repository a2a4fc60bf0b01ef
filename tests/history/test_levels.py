"""Levels: chained over anchors they are what was put in; environments are joined by enough revisions."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest

from qcaps.history import changes, layout, levels, plan, records
from qcaps.history.levels import Edge, Level
from qcaps.history.records import Revision
from qcaps.history.store import writing
from qcaps.measure.cell import Cell

if TYPE_CHECKING:
    from pathlib import Path

TRUTH = {number: 0.02 * math.sin(number) + (0.05 if number >= 30 else 0.0) for number in range(60)}
ANCHORS = [0, 1, 20, 40]


def rows(
    draw: np.random.Generator, truth: dict[int, float], scatter: float, pairs: int = 10
) -> list[tuple[int, float]]:
    """Pairs of each revision with the two anchors before it, as the store has them in order."""
    found = []
    for head, own in truth.items():
        for base in [one for one in ANCHORS if one < head][-2:]:
            noise = draw.normal(0, scatter, pairs)
            found += [((7 << 48) + (base << 24) + head, math.exp(own - truth[base] + one)) for one in noise]
    return sorted(found, key=lambda one: one[0])


def test_levels_are_what_was_put_in_within_their_errors() -> None:
    draw = np.random.default_rng(1)
    far = []
    for _ in range(20):
        (found,) = levels.chained(levels.edges(rows(draw, TRUTH, 0.015))[7], ANCHORS, 7)
        assert set(found) == set(TRUTH)
        assert (found[0].log, found[0].error) == (0.0, 0.0)
        far += [(found[n].log - (TRUTH[n] - TRUTH[0])) / found[n].error for n in TRUTH if n]
    # errors are honest: standard normal, though the chain is common to what lies behind it
    assert 0.8 < float(np.std(far)) < 1.3
    exact = levels.chained(levels.edges(rows(draw, TRUTH, 0.0))[7], ANCHORS)[0]
    assert [one.log for _, one in sorted(exact.items())] == pytest.approx(
        [TRUTH[n] - TRUTH[0] for n in sorted(TRUTH)], abs=1e-9
    )


def test_the_chain_costs_little_where_two_anchors_are_alive() -> None:
    draw = np.random.default_rng(2)
    (found,) = levels.chained(levels.edges(rows(draw, TRUTH, 0.015))[7], ANCHORS)
    # 18 revisions measured against both, of 10 pairs each, tell where the next anchor lies
    assert found[59].error < 1.5 * found[59].own_error
    lone = [Edge(0, 5, 0.1, 1e-4, 8), Edge(20, 25, 0.2, 1e-4, 8)]
    parts = levels.chained(lone, ANCHORS)
    assert [set(part) for part in parts] == [{0, 5}, {20, 25}]


def some(numbers: range, environment: int, offset: float) -> dict[int, Level]:
    draw = np.random.default_rng(environment)
    return {
        n: Level(n, TRUTH[n] + offset + draw.normal(0, 0.004), 0.004, 0.004, 16, environment) for n in numbers
    }


def test_environments_are_joined_by_five_common_revisions_and_not_by_four() -> None:
    order = {n: n for n in TRUTH}
    joined = levels.segments([some(range(1, 25), 1, 0.0), some(range(20, 60), 2, 0.1)], order)
    assert [one.environments for one in joined] == [(1, 2)]
    # the second machine's ratios differ by 10 %: no step is left where it takes over
    assert [one.at for one in changes.suspects(joined[0].levels)] == [29]
    apart = levels.segments([some(range(1, 24), 1, 0.0), some(range(20, 60), 2, 0.1)], order)
    assert [one.environments for one in apart] == [(1,), (2,)]
    assert [one.at for segment in apart for one in changes.suspects(segment.levels)] == [10]


def test_a_known_break_is_not_suspected_and_hides_no_other() -> None:
    logs = [0.0] * 20 + [0.03] * 20 + [0.06] * 20
    draw = np.random.default_rng(5)
    line = [Level(n, log + draw.normal(0, 0.004), 0.004, 0.004, 16, 1) for n, log in enumerate(logs)]
    assert [one.at for one in changes.suspects(line)] == [20, 40]
    (left,) = changes.suspects(line, [20])
    assert left.at == 40
    assert left.log == pytest.approx(0.03, abs=0.004)


def test_unchanged_series_have_hardly_a_suspect_and_one_wild_level_is_none() -> None:
    draw = np.random.default_rng(9)
    false = 0
    for _ in range(200):
        line = [Level(n, draw.normal(0, 0.005), 0.005, 0.005, 16, 1) for n in range(100)]
        false += bool(changes.suspects(line))
    assert false <= 6  # .01 of 200 is 2
    line[50] = Level(50, 0.2, 0.005, 0.005, 16, 1)
    assert changes.suspects(line) == []


def test_each_revision_is_measured_against_the_two_anchors_before_it() -> None:
    line = [Revision(at, f"c{at}") for at in range(10)]
    anchors = [line[1], line[3], line[6]]
    assert plan.bases_of(line[8], anchors) == (line[3], line[6])
    assert plan.bases_of(line[6], anchors) == (line[1], line[3])
    assert plan.bases_of(line[2], anchors) == (line[1],)
    assert plan.bases_of(line[1], anchors) == ()
    assert plan.bases_of(line[0], anchors) == (line[1], line[3])
    assert plan.becomes_anchor(line[4], [line[0]], ())
    assert not plan.becomes_anchor(line[4], anchors, ())
    assert plan.becomes_anchor(line[4], anchors, {"c4"})


def test_a_layouts_scatter_is_told_from_the_pairs_error(tmp_path: Path) -> None:
    draw = np.random.default_rng(3)
    cell = Cell("disks", 4)
    with writing(tmp_path / "h.db") as store:
        with store.transaction() as connection:
            place = records.environment_id(connection, {})
            benchmark = records.benchmark_id(connection, cell)
            assert layout.scatter(store, benchmark) == 0.0
            first = draw.normal(0, 0.02)
            for number in range(1, 60):
                revision = records.revision_id(connection, Revision(0, "c0"))
                apart = draw.normal(0, 0.02) - first + draw.normal(0, 0.005)
                row = (benchmark, place, revision, number, apart, 0.005**2)
                connection.execute("INSERT INTO layout VALUES (?, ?, ?, ?, ?, ?)", row)
        assert layout.scatter(store, benchmark) == pytest.approx(0.02, rel=0.25)
    # a step of one layout is no suspect any more, one of ten is
    for size, expected in ((0.02, []), (0.2, [30])):
        line = [Level(n, size * (n >= 30) + draw.normal(0, 0.002), 0.002, 0.002, 16, 1) for n in range(36)]
        assert [one.at for one in changes.suspects(line, layout=0.02)] == expected
        assert [one.at for one in changes.suspects(line)] == [30]
