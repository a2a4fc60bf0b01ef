"""Measures many cells: a job a comparison and pass, round-robin, so that a burst of noise spreads."""

from __future__ import annotations

import json
import os
import random
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from qcaps.errors import QcapsError, UsageError
from qcaps.measure.cell import BASELINE, Cell, baseline_of, by_comparison
from qcaps.measure.domains import SCENARIOS, DomainSources
from qcaps.measure.results import results_file
from qcaps.measure.results.answered import circumstances_of, measured
from qcaps.measure.results.results_file import CUT_SHORT, Measured, Results
from qcaps.measure.results.session import session_facts
from qcaps.measure.worker.running import HUNG, Answer, WorkerError, run_worker
from qcaps.measure.worker.work import Job

if TYPE_CHECKING:
    from qcaps.measure.results.results_file import Metadata

OnProgress = Callable[[float, int, str], None]
"""Told how many jobs are done (a fraction of one included), of how many, and which comparison is on."""

_TRIES = 2
_GRACE_SECONDS = 60.0
_SHARE_TO_PLAN = 0.9
"""Of a time limit, what jobs may plan with; the rest is for a round that took longer than the one before."""


class RefusedDomain(NamedTuple):
    """A file that holds no domain, among others that do."""

    why: str


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to measure, and how long. `limit` is seconds for everything; `job_seconds` for each worker."""

    cells: tuple[Cell, ...]
    pairs: int = 20
    processes: int = 4
    seed: int = 0
    limit: float | None = None
    job_seconds: float = 6.0
    domains: DomainSources = SCENARIOS

    @cached_property
    def xmls(self) -> dict[Cell, str | RefusedDomain]:
        """Each comparison's domain. Raises UsageError for a scenario or an n that there is not."""
        found: dict[Cell, str | RefusedDomain] = {}
        for comparison in by_comparison(self.cells):
            try:
                found[comparison] = self.domains.get(comparison.scenario).xml(comparison.n, comparison.seed)
            except UsageError:
                raise
            except QcapsError as error:
                found[comparison] = RefusedDomain(str(error))
        return found


@dataclass
class Log:
    """What became of a plan: results; comparisons refused (and why), not reached, with counts that vary.

    `results` may hold what an earlier run of the same plan measured. `lost` are comparisons with a worker
    that was killed twice or hung, and what ended it: their series are shorter than planned.
    """

    results: Results = field(default_factory=lambda: Results(()))
    refused: dict[Cell, str] = field(default_factory=dict)
    lost: dict[Cell, str] = field(default_factory=dict)
    not_reached: tuple[Cell, ...] = ()
    unsteady: dict[Cell, None] = field(default_factory=dict)


def with_baseline(cells: tuple[Cell, ...], baseline: str = BASELINE) -> tuple[Cell, ...]:
    """The cells and, where it is missing, the baseline of each comparison, first."""
    return tuple(
        cell
        for comparison, arms in by_comparison(cells).items()
        for cell in dict.fromkeys(
            (replace(comparison, policy=baseline_of(comparison.subject, baseline)), *arms)
        )
    )


def measure(plan: Plan, file: Path, scratch: Path, log: Log, on_progress: OnProgress) -> None:
    """Measure the plan into `log`, and write `file` after each job: what was measured survives any end.

    A job whose results are in `log` is not done again. A worker that is killed gets one more try. Raises
    UsageError for a scenario or an n that there is not, before anything is measured.
    """
    groups = by_comparison(plan.cells)
    sources = plan.xmls
    log.refused |= {
        comparison: source.why for comparison, source in sources.items() if isinstance(source, RefusedDomain)
    }
    jobs = [comparison for _ in range(plan.processes) for comparison in groups]
    session = session_facts(scratch)
    draw = random.Random(plan.seed)
    seeds = [(draw.randrange(2**32), draw.randrange(1, 2**32)) for _ in jobs]
    end = None if plan.limit is None else time.monotonic() + plan.limit
    known = done_jobs(log.results)
    for worker, comparison in enumerate(jobs):
        seconds, patience = _time_for(plan, end, len(jobs) - worker)
        if (comparison, worker) in known or comparison in log.refused or seconds <= 0:
            continue
        order_seed, hash_seed = seeds[worker]
        xml = sources[comparison]
        assert isinstance(xml, str), "what is refused is not measured"
        job = Job(
            cells=groups[comparison],
            xml=xml,
            directory=str(scratch / f"worker-{worker}"),
            pairs=plan.pairs,
            seconds=seconds,
            seed=order_seed,
            cpu=_cpu(),
            trace=worker < len(groups),
        )
        try:
            answer = _run(job, hash_seed, patience, _counted(job, worker, len(jobs), on_progress))
        except WorkerError as error:
            log.refused[comparison] = str(error)
            continue
        if plan.limit is not None and answer.cut_short == HUNG:
            answer.cut_short = ""  # all the time there is was up, and that is said
        if answer.cut_short:
            log.lost[comparison] = answer.cut_short
        if answer.done is not None and not answer.done["steady"]:
            log.unsteady[comparison] = None
        if found := _measured(job, answer, worker, session):
            log.results = results_file.add(log.results, found)
            results_file.write(file, log.results)
    on_progress(len(jobs), len(jobs), "")
    reached = {*log.refused, *log.lost, *log.results.by_comparison()}
    log.not_reached = tuple(comparison for comparison in groups if comparison not in reached)


def done_jobs(results: Results) -> set[tuple[Cell, int]]:
    """The comparisons and numbers of workers that results hold."""
    return {(one.cell.comparison, run.worker) for one in results.measured for run in one.runs}


def whole(results: Results) -> Results:
    """The results without the runs of workers that were killed: these are to be measured again."""
    kept = (
        replace(one, runs=tuple(run for run in one.runs if CUT_SHORT not in run.facts))
        for one in results.measured
    )
    return Results(tuple(one for one in kept if one.runs))


def _run(job: Job, hash_seed: int, patience: float, on_line: Callable[[], None]) -> Answer:
    """The job's answer; of a second try if the first worker was killed."""
    directory = Path(job.directory)
    answers: list[Answer] = []
    while len(answers) < _TRIES:
        directory.mkdir()
        try:
            answers.append(run_worker(job, hash_seed, patience, on_line))
        finally:
            shutil.rmtree(directory, ignore_errors=True)
        if answers[-1].cut_short in ("", HUNG):
            return answers[-1]
    return max(answers, key=lambda answer: len(answer.complete_rounds()))


def _time_for(plan: Plan, end: float | None, jobs_left: int) -> tuple[float, float]:
    """Seconds that the next job may plan with, and after which it is killed."""
    if end is None:
        return plan.job_seconds, plan.job_seconds + _GRACE_SECONDS
    left = end - time.monotonic()
    return min(plan.job_seconds, left * _SHARE_TO_PLAN / jobs_left), left


def _counted(job: Job, worker: int, jobs: int, on_progress: OnProgress) -> Callable[[], None]:
    blocks = job.pairs * len(job.cells) + 1  # one line says that the worker is ready
    lines = 0

    def on_line() -> None:
        nonlocal lines
        lines += 1
        on_progress(worker + min(lines / blocks, 1.0), jobs, job.cells[0].comparison.name)

    on_progress(worker, jobs, job.cells[0].comparison.name)
    return on_line


def _measured(job: Job, answer: Answer, worker: int, session: Metadata) -> list[Measured]:
    """The answer as results; nothing if no round was completed."""
    rounds = answer.complete_rounds()
    if answer.ready is None or not rounds:
        return []
    done = answer.done or {}
    shared: Metadata = {
        **session,
        **circumstances_of(answer, job.cpu),
        "hash_seed": answer.ready["hash_seed"],
        "order_seed": job.seed,
    }
    if answer.cut_short:
        shared[CUT_SHORT] = answer.cut_short
    if "max_rss" in done:
        shared["mem_max_rss"] = done["max_rss"]
        shared["counts_steady"] = "yes" if done["steady"] else "no"
    return [
        measured(
            cell,
            answer,
            arm,
            worker,
            blocks=[blocks[arm] for blocks in rounds],
            facts={**shared, **_spans(answer, arm)},
        )
        for arm, cell in enumerate(job.cells)
    ]


def _spans(answer: Answer, arm: int) -> Metadata:
    """Where the arm's time goes, as JSON, if the worker traced it."""
    spans = answer.spans[arm] if answer.spans else None
    return {} if spans is None else {"spans": json.dumps(spans, separators=(",", ":"))}


def _cpu() -> int | None:
    """The CPU workers stay on: the last we may use, since interrupts and others prefer the first."""
    return max(os.sched_getaffinity(0), default=None)
