"""A run's exports: what github-action-benchmark and Bencher read, from results whose answer is known."""

from __future__ import annotations

import json

import pytest

from qcaps.commands.run import EXPORTS
from qcaps.errors import UsageError
from qcaps.measure.cell import Cell
from qcaps.measure.results.results_file import Measured, Results, Run
from qcaps.measure.subject import Counts
from qcaps.report.exports import by_name, text
from qcaps.report.run_rows import of_results


def arm(policy: str, seconds: float, lookups: int) -> Measured:
    run = Run(0, tuple((seconds * (1 + step / 1000),) for step in range(9)), (), {})
    return Measured(Cell("disks", 4, policy=policy), Counts(21, lookups, lookups, 0, 0), (run,))


RESULTS = Results((arm("naive", 0.004, 23), arm("once", 0.001, 1)))


def exported(name: str) -> str:
    return text(by_name(name), of_results(RESULTS, "naive"), RESULTS)


def test_github_action_benchmark_is_told_of_each_policy() -> None:
    entries = {one["name"]: one for one in json.loads(exported("github"))}
    assert entries["disks/4 define fork naive"]["value"] == pytest.approx(4016)
    assert entries["disks/4 define fork once"]["value"] == pytest.approx(1004)
    assert entries["disks/4 define fork once"]["extra"] == "TIMED -75.0 %"
    assert entries["disks/4 define fork once lookups"]["value"] == 1
    assert {one["unit"] for one in entries.values()} == {"us", "lookups"}


def test_bencher_has_bounds_where_there_is_a_baseline() -> None:
    plain = json.loads(exported("bencher"))
    assert plain["disks/4 define fork naive"]["latency"] == {"value": pytest.approx(4_016_000)}
    once = plain["disks/4 define fork once"]["latency"]
    assert once["lower_value"] <= once["value"] <= once["upper_value"]
    assert plain["disks/4 define fork once"]["lookups"] == {"value": 1}


def test_every_format_of_a_run_can_be_written() -> None:
    for name in EXPORTS:
        assert exported(name)
    with pytest.raises(UsageError):
        by_name("gihub")
