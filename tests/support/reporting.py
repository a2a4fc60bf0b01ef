"""Results made by a known law, for tests of what is drawn from them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from qcaps import content
from qcaps.lookups import policy_laws
from qcaps.measure.cell import Cell, grid
from qcaps.measure.results.results_file import Measured, Results, Run
from qcaps.measure.subject import Counts
from qcaps.report.sources import ResultsSource, Sources

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qcaps.measure.results.results_file import Metadata

POLICIES = ("naive", "series", "once", "once-abort", "oracle")
LADDER = ("naive", *(f"patch-{number}" for number in range(1, 12)))
DEVICE, LOOKUP, REST = 30e-6, {"fork": 500e-6, "ctime": 20e-6, "watch": 2e-6, "trust": 1e-6}, 200e-6
"""Seconds: a device's own work, a lookup's by validity, and what every task costs."""
BLOCKS = 8
FACTS: Metadata = {
    "date": "2026-11-22 12:00:00.000001",
    "git_commit": "0123456789abcdef",
    "command_line": "qcaps run reference",
    "cpu_model_name": "a CPU",
    "cpu_count": 2,
    "platform": "Linux",
    "python_version": "3.11.7",
    "qcaps_version": "0.1.0",
    "hostname": "host",
    "fsync_us": 300.0,
    "hash_seed": "1",
}


def seconds(cell: Cell, devices: int) -> float:
    """The law all blocks follow."""
    lookups = policy_laws.lookups(cell.policy, cell.task, devices) or 0
    return REST + devices * DEVICE + lookups * LOOKUP[cell.validity]


def measured(cell: Cell, **facts: str | float) -> Measured:
    """A guest of n + 9 devices; blocks rise by 0.5 % each; a trace of what the law says."""
    devices = cell.n + 9
    lookups = policy_laws.lookups(cell.policy, cell.task, devices) or 0
    forks = policy_laws.forks(cell.policy, cell.task, cell.validity, devices) or 0
    time = seconds(cell, devices)
    blocks = tuple((time * (1 + step / 200),) for step in range(BLOCKS))
    known: Metadata = {
        **FACTS,
        "spans": json.dumps(trace(time, lookups, forks, LOOKUP[cell.validity])),
        **facts,
    }
    return Measured(cell, Counts(devices, lookups, lookups, forks, 0), (Run(0, blocks, (), known),))


def trace(time: float, lookups: int, forks: int, lookup: float) -> dict[str, Any]:
    """Parsing first, then validation with all lookups one after the other."""
    total, each = time * 1e6, lookup * 1e6
    forked = 0.9 * each if forks else 0.0
    parse = total - lookups * each
    spans: list[list[str | float]] = [
        ["phase", "parse", 0.0, parse],
        ["phase", "validate", parse, total - parse],
    ]
    for number in range(lookups):
        start = parse + number * each
        spans.append(["lookup", "validate device: disk", start, each])
        if forks:
            spans.append(["fork", "/dev/kvm", start, forked])
    parts = {"parse": parse, "validate": 0.0, "lookups": lookups * (each - forked), "forks": lookups * forked}
    return {"runs": 5, "total": total, "parts": parts, "spans": spans}


def grown(*scenarios: str, ns: tuple[int, ...] = (1, 8, 64)) -> Results:
    """All policies of note, under two validities."""
    return of(grid(scenarios, ns, ("define",), ("fork", "ctime"), POLICIES))


def of(cells: Iterable[Cell]) -> Results:
    """Results of cells."""
    return Results(tuple(map(measured, cells)))


def with_facts(one: Measured, **facts: str | float) -> Measured:
    """The same with more metadata in each run."""
    return replace(one, runs=tuple(replace(run, facts={**run.facts, **facts}) for run in one.runs))


def full() -> Results:
    """Something for every section."""
    return of(
        dict.fromkeys(
            (
                *grid(("disks@pc", "channels", "serials", "s390x-ccw"), (0, 1, 4, 16, 64), ("define",),
                      ("fork", "ctime"), POLICIES),
                *grid(("simple",), (1,), ("define",), ("fork", "ctime", "watch", "trust"), POLICIES),
                *grid(("simple",), (1,), ("define", "start", "createXML"), ("fork",), LADDER),
            )
        )
    )  # fmt: skip


def sources(*all_results: Results) -> Sources:
    """Each as a file of its own."""
    return Sources(
        tuple(
            ResultsSource(f"file-{number}.json", one, f"file-{number}.json")
            for number, one in enumerate(all_results, 1)
        )
    )


def module(name: str) -> Any:  # found by path
    """A section's module."""
    return content.SHIPPED.load("reports/sections", name)
