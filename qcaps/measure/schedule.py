"""Measures many cells: a job a comparison and pass, round-robin, so that a burst of noise spreads."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from qcaps.errors import QcapsError, UsageError
from qcaps.measure.carrying import Errand
from qcaps.measure.cell import BASELINE, Cell, baseline_of, by_comparison
from qcaps.measure.domains import SCENARIOS, DomainSources
from qcaps.measure.results import results_file
from qcaps.measure.results.results_file import CUT_SHORT, Results
from qcaps.measure.suite import source
from qcaps.measure.worker.running import INTERRUPTED
from qcaps.measure.worker.work import Job

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from qcaps.measure.carrying import Carrier, Delivery

OnProgress = Callable[[float, int, str], None]
"""Told how many jobs are done (a fraction of one included), of how many, and which comparison is on."""

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
                found[comparison] = source(comparison, self.domains)
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


def measure(plan: Plan, file: Path, log: Log, carrier: Carrier, on_progress: OnProgress) -> None:
    """Measure the plan into `log`, and write `file` after each job: what was measured survives any end.

    A job whose results are in `log` is not done again. Raises UsageError for a scenario or an n that there is
    not, before anything is measured; KeyboardInterrupt with all that was measured in `log` and `file`.
    """
    groups = by_comparison(plan.cells)
    sources = plan.xmls
    log.refused |= {
        comparison: source.why for comparison, source in sources.items() if isinstance(source, RefusedDomain)
    }
    jobs = [comparison for _ in range(plan.processes) for comparison in groups]

    def on_line(errand: Errand, lines: int) -> None:
        blocks = errand.job.pairs * len(errand.job.cells) + 1  # one line says that the worker is ready
        on_progress(errand.number + min(lines / blocks, 1.0), len(jobs), jobs[errand.number].name)

    for deliveries in carrier.carry_out(_errands(plan, jobs, groups, log, carrier.width), on_line):
        for one in deliveries:
            _take(one, jobs[one.number], log)
        if any(one.measured for one in deliveries):
            results_file.write(file, log.results)
        if any(one.cut_short == INTERRUPTED for one in deliveries):
            raise KeyboardInterrupt
        if carrier.width > 1:
            on_progress(len(done_jobs(log.results)), len(jobs), jobs[deliveries[-1].number].name)
    on_progress(len(jobs), len(jobs), "")
    reached = {*log.refused, *log.lost, *log.results.by_comparison()}
    log.not_reached = tuple(comparison for comparison in groups if comparison not in reached)


def _errands(
    plan: Plan, jobs: Sequence[Cell], groups: Mapping[Cell, tuple[Cell, ...]], log: Log, width: int
) -> Iterator[Errand]:
    """The jobs that are left, each when it can begin: so much time has gone by then, and so much is known."""
    draw = random.Random(plan.seed)
    seeds = [(draw.randrange(2**32), draw.randrange(1, 2**32)) for _ in jobs]
    end = None if plan.limit is None else time.monotonic() + plan.limit
    known = done_jobs(log.results)
    for worker, comparison in enumerate(jobs):
        seconds, patience = _time_for(plan, end, math.ceil((len(jobs) - worker) / width))
        if (comparison, worker) in known or comparison in log.refused or seconds <= 0:
            continue
        order_seed, hash_seed = seeds[worker]
        xml = plan.xmls[comparison]
        assert isinstance(xml, str), "what is refused is not measured"
        job = Job(
            cells=groups[comparison],
            xml=xml,
            directory="",
            pairs=plan.pairs,
            seconds=seconds,
            seed=order_seed,
            trace=worker < len(groups),
        )
        yield Errand(worker, job, hash_seed, patience, limited=plan.limit is not None)


def _take(one: Delivery, comparison: Cell, log: Log) -> None:
    """Put a delivery where it belongs."""
    if one.refused:
        # a libvirt's own words begin with the cell, which is said already
        itself = one.refused.startswith(comparison.name)
        log.refused[comparison] = one.refused.partition(": ")[2] if itself else one.refused
    if one.cut_short:
        log.lost[comparison] = one.cut_short
    if not one.steady:
        log.unsteady[comparison] = None
    log.results = results_file.add(log.results, one.measured)


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


def _time_for(plan: Plan, end: float | None, jobs_left: int) -> tuple[float, float]:
    """Seconds that the next job may plan with, as one of so many in a row, and after which it is killed."""
    if end is None:
        return plan.job_seconds, plan.job_seconds + _GRACE_SECONDS
    left = end - time.monotonic()
    return min(plan.job_seconds, left * _SHARE_TO_PLAN / jobs_left), left
