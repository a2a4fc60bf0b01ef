"""Where the time of one task goes: parts that add up, lookups and forks as counted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from qcaps.measure.cell import Cell
from qcaps.measure.subjects.reference import prepare
from qcaps.measure.worker import trace
from qcaps.measure.worker.trace import Span
from qcaps.scenario import scenario

if TYPE_CHECKING:
    from pathlib import Path

    from qcaps.measure.subject import Counts


def traced(cell: Cell, directory: Path) -> tuple[dict[str, Any], Counts]:
    arm = prepare(cell, scenario(cell.scenario).xml(cell.n).encode(), directory)
    found = trace.trace(arm)
    counts = arm.counts()
    arm.close()
    return found, counts


@pytest.mark.parametrize(
    ("policy", "task"), [("naive", "define"), ("once-abort", "define"), ("once", "start")]
)
def test_every_lookup_and_fork_is_a_span(policy: str, task: str, tmp_path: Path) -> None:
    found, counts = traced(Cell("disks", 2, task, "fork", policy), tmp_path)
    spans = found["spans"]
    kinds = [kind for kind, *_ in spans]
    assert kinds.count("lookup") == counts.lookups
    assert kinds.count("lookup") + kinds.count("check") == counts.validations
    assert kinds.count("fork") == counts.forks
    starts = [start for _, _, start, _ in spans]
    assert starts == sorted(starts)
    assert starts[0] >= 0
    assert max(start + length for _, _, start, length in spans) <= found["total"]


def test_the_parts_are_the_whole(tmp_path: Path) -> None:
    found, _ = traced(Cell("disks", 2, "define", "fork", "naive"), tmp_path)
    parts = found["parts"]
    assert {
        "parse",
        "post-parse",
        "assign addresses",
        "validate",
        "format",
        "save",
        "lookups",
        "forks",
    } <= set(parts)
    assert all(value >= 0 for value in parts.values())
    assert sum(parts.values()) == pytest.approx(found["total"], rel=0.5)


def test_a_lookup_is_taken_out_of_its_phase_and_a_fork_out_of_its_lookup() -> None:
    spans = [
        Span("phase", "validate", 100, 900),
        Span("lookup", "validate device: disk", 200, 500),
        Span("fork", "/dev/kvm", 250, 450),
        Span("lookup", "process init", 920, 950),
    ]
    assert trace.parts_of(spans, 1000) == {"validate": 500, "lookups": 130, "forks": 200, "rest": 170}


def test_a_task_of_many_lookups_keeps_its_parts_only(tmp_path: Path) -> None:
    found, counts = traced(Cell("serials", 300, "define", "trust", "naive"), tmp_path)
    assert counts.lookups > trace.MOST_SPANS
    assert found["spans"] == []
    assert found["parts"]


def test_an_arm_is_left_unobserved(tmp_path: Path) -> None:
    arm = prepare(Cell("disks", 1, policy="once"), scenario("disks").xml(1).encode(), tmp_path)
    recorder = trace.Recorder()
    arm.observe(recorder)
    arm.observe(None)
    arm.run()
    assert recorder.spans == []
