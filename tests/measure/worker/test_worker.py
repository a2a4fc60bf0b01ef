"""Workers: lean, honest about counts, and stopped when their time is up."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from qcaps.measure.cell import TASKS, Cell
from qcaps.measure.worker.running import Answer, WorkerError, run_worker
from qcaps.measure.worker.work import Job, calls_a_block
from qcaps.scenario import scenario

if TYPE_CHECKING:
    from pathlib import Path


def job(directory: Path, *cells: Cell, xml: str | None = None, pairs: int = 2, seconds: float = 5.0) -> Job:
    first = cells[0]
    return Job(
        cells=cells,
        xml=xml if xml is not None else scenario(first.scenario).xml(first.n),
        directory=str(directory),
        pairs=pairs,
        seconds=seconds,
        seed=1,
    )


def answer_of(one: Job, patience: float = 60.0) -> Answer:
    return run_worker(one, 1, patience, lambda: None)


def ready(answer: Answer) -> dict[str, Any]:
    assert answer.ready is not None
    return answer.ready


def test_a_job_survives_its_journey(tmp_path: Path) -> None:
    one = job(tmp_path, Cell("serials", 2), Cell("serials", 2, policy="once"))
    assert Job.from_json(one.to_json()) == one


def test_a_worker_imports_nothing_that_makes_a_fork_dearer() -> None:
    code = "import sys, qcaps.measure.worker.work, qcaps.measure.subjects.reference; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"numpy", "matplotlib", "rich", "pyperf", "subprocess", "asyncio", "qcaps.scenario"}
    assert heavy & set(done.stdout.split()) == set()


def test_counts_are_those_of_the_policy(tmp_path: Path) -> None:
    policies = ("naive", "series", "once", "once-abort", "oracle")
    one = job(tmp_path, *(Cell("serials", 3, validity="fork", policy=policy) for policy in policies))
    answer = answer_of(one)
    counts = dict(zip(policies, ready(answer)["counts"], strict=True))
    devices = counts["naive"]["devices"]
    assert devices > 3
    assert {policy: found["lookups"] for policy, found in counts.items()} == {
        "naive": devices + 2,
        "series": 2,
        "once": 1,
        "once-abort": 1,
        "oracle": 0,
    }
    assert [found["forks"] for found in counts.values()] == [devices + 2, 2, 1, 2, 0]
    assert sum(counts["naive"]["sites"].values()) == devices + 2
    assert answer.done is not None
    assert answer.done["steady"]


def test_blocks_come_in_rounds_of_every_arm(tmp_path: Path) -> None:
    one = job(tmp_path, Cell("serials", 1), Cell("serials", 1, policy="once"), pairs=3)
    answer = answer_of(one)
    assert [sorted(blocks) for blocks in answer.complete_rounds()] == [[0, 1]] * 3
    calls = ready(answer)["calls"]
    assert all(len(ns) == calls for blocks in answer.complete_rounds() for ns in blocks.values())


def test_every_task_can_be_repeated(tmp_path: Path) -> None:
    cells = (Cell("disks@pc", 1, task=task, validity="trust", policy="once") for task in TASKS)
    answer = answer_of(job(tmp_path, *cells, pairs=1))
    assert answer.done is not None
    assert answer.done["steady"]
    lookups = {task: found["lookups"] for task, found in zip(TASKS, ready(answer)["counts"], strict=True)}
    assert lookups == {task: 0 if task == "undefine" else 1 for task in TASKS}
    devices = {task: found["devices"] for task, found in zip(TASKS, ready(answer)["counts"], strict=True)}
    assert devices["attach"] == devices["define"] + 1 == devices["detach"] + 1


def test_a_refused_domain_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(WorkerError) as caught:
        answer_of(job(tmp_path, Cell("serials", 1), xml="<domain type='qemu'><name>x</domain>"))
    assert "serials/1" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_worker_stops_before_a_round_that_would_be_late(tmp_path: Path) -> None:
    start = time.monotonic()
    answer = answer_of(job(tmp_path, Cell("serials", 8, validity="trust"), pairs=100_000, seconds=2.0))
    assert time.monotonic() - start < 5
    assert answer.done is not None
    assert len(answer.complete_rounds()) > 1


def test_a_worker_that_overstays_is_killed_and_its_rounds_are_kept(tmp_path: Path) -> None:
    cells = (Cell("serials", 8, validity="trust"), Cell("serials", 8, validity="trust", policy="once"))
    start = time.monotonic()
    answer = answer_of(job(tmp_path, *cells, pairs=100_000, seconds=1000.0), patience=2.5)
    assert time.monotonic() - start < 5
    assert answer.done is None
    assert all(len(blocks) == 2 for blocks in answer.complete_rounds())
    assert answer.complete_rounds()


def test_a_worker_ends_with_whoever_started_it(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-m", "qcaps.measure.worker.work"], stdin=subprocess.PIPE, stdout=writer
    )
    os.close(writer)
    text = job(tmp_path, Cell("serials", 1), pairs=100_000, seconds=1000.0).to_json()
    with os.fdopen(reader) as lines:
        assert process.stdin is not None
        process.stdin.write(text.encode())
        process.stdin.close()
        assert "ready" in json.loads(lines.readline())
    assert process.wait(timeout=10) == 141


@pytest.mark.parametrize(("slowest_ms", "calls"), [(0.1, 15), (2, 10), (6, 3), (200, 3), (300, 1)])
def test_a_block_is_about_20_ms(slowest_ms: float, calls: int) -> None:
    assert calls_a_block(int(slowest_ms * 1e6)) == calls
