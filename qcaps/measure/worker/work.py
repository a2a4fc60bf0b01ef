"""A fresh, lean process that times the arms of one comparison: `python -m qcaps.measure.worker.work`.

A job comes as JSON on standard input, its answers go as one JSON line each to standard output:

    {"ready": …}      what was set up: facts and counts of each arm, in the order of the job's cells
    {"block": …}      one block: its round, its arm (an index), nanoseconds of each timed call
    {"done": …}       the end of timing: whether counts stayed the same, memory used
    {"spans": …}      if asked for: where each arm's time goes, traced after timing; null where it cannot be
    {"error": "…"}    the domain was refused, or the machine cannot do it
    {"trace": […]}    only for a job that explains: site and device of each lookup of the first cell's task

Nothing is imported here that the pipeline does not need, since a fork costs more in a larger process.
"""

from __future__ import annotations

import gc
import json
import os
import random
import resource
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic, perf_counter_ns
from typing import TYPE_CHECKING, Any

from qcaps.errors import QcapsError
from qcaps.measure.cell import Cell
from qcaps.measure.subject import TimedElsewhere, subject
from qcaps.measure.subjects.slowdown import slowed
from qcaps.settling import pause_for, settle

if TYPE_CHECKING:
    from qcaps.measure.subject import PreparedCell

_MOST_WARMUPS, _WARM_NS = 3, 100_000_000
_BLOCK_NS = 20_000_000
_FEWEST_CALLS, _MOST_CALLS = 3, 15
_LONG_CALL_NS = 250_000_000
"""A call this long is timed alone: three of them a block would take longer than any noise they dodge."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """What one worker does. `seconds` is how long it may take to time; `cpu` is the one to stay on.

    `calls` make a block (None: as many as take about 20 ms). `slowdown` is added to each call in proportion
    (0.03: 3 %), to see whether it is noticed. `explain`: name each lookup instead of timing. `stepped`: begin
    a round when a byte comes on standard input, since another process has its turn in between. `pause` is the
    longest before a call, in seconds (None: as its warm-up calls need), the same for all that are compared.
    """

    cells: tuple[Cell, ...]
    xml: str
    directory: str
    pairs: int
    seconds: float
    seed: int
    cpu: int | None = None
    trace: bool = False
    calls: int | None = None
    slowdown: float = 0.0
    explain: bool = False
    stepped: bool = False
    pause: float | None = None

    def to_json(self) -> str:
        """The job on one line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Job:
        """The reverse of `to_json`."""
        plain = json.loads(text)
        return cls(**{**plain, "cells": tuple(Cell.from_plain(cell) for cell in plain["cells"])})


def main() -> int:
    """Do the job on standard input."""
    began = monotonic()
    job = Job.from_json(sys.stdin.read())
    try:
        work(job, began)
    except QcapsError as error:
        _say("error", str(error))
        return error.exit_status
    except BrokenPipeError:
        # Whoever started us is gone; so is the reason to go on.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    return 0


def work(job: Job, began: float) -> None:
    """Set up, warm up, then time rounds (one block of each arm, in random order) until the job is done.

    A round that would not end in time is not begun, except for the first.
    """
    if job.explain:
        _explain(job)
        return
    pinned = _pin(job.cpu)
    arms = [_prepare(job, number, cell) for number, cell in enumerate(job.cells)]
    counts = [asdict(arm.counts()) for arm in arms]
    warmups, pauses = zip(*(_warm_up(arm) for arm in arms), strict=True)
    pause = max(pauses) if job.pause is None else job.pause
    calls = job.calls or calls_a_block(max(min(one) for one in warmups))
    facts = [arm.facts() for arm in arms]
    # What exists now stays: no collection walks it again, and no child of ours copies its pages for that.
    gc.collect()
    gc.freeze()
    gc.disable()
    state = {
        "pinned": pinned,
        "calls": calls,
        "pause": pause,
        "gc": "disabled",
        "hash_seed": os.environ.get("PYTHONHASHSEED"),
    }
    _say("ready", {**state, "facts": facts, "counts": counts, "warmups": warmups})
    steady = _rounds(job, arms, calls, pause, began)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    _say("done", {"steady": steady, "max_rss": usage.ru_maxrss * 1024, "python": sys.version.split()[0]})
    if job.trace:
        from qcaps.measure.worker.trace import Traceable, trace  # after timing, where asked for

        _say("spans", [trace(arm) if isinstance(arm, Traceable) else None for arm in arms])
    for arm in arms:
        arm.close()


def calls_a_block(slowest_ns: int) -> int:
    """How many calls make a block of about 20 ms, the same for all arms: a minimum of more is lower."""
    if slowest_ns > _LONG_CALL_NS:
        return 1
    return min(max(_BLOCK_NS // max(slowest_ns, 1), _FEWEST_CALLS), _MOST_CALLS)


def _prepare(job: Job, number: int, cell: Cell) -> PreparedCell:
    directory = Path(job.directory) / str(number)
    directory.mkdir()
    arm = subject(cell.subject).prepare(cell, job.xml.encode(), directory)
    return slowed(arm, job.slowdown) if job.slowdown else arm


def _explain(job: Job) -> None:
    """Say the site and the device of each lookup of the first cell's task, in order."""
    from qcaps.measure.worker.naming import Names  # likewise
    from qcaps.measure.worker.trace import Traceable

    arm = _prepare(job, 0, job.cells[0])
    names = Names()
    if isinstance(arm, Traceable):
        arm.observe(names)
        arm.run()
        seen = names.seen
    else:  # it counts at each site, and knows no order
        seen = [(site, "") for site, count in arm.counts().sites.items() for _ in range(count)]
    arm.close()
    _say("trace", seen)


def _rounds(job: Job, arms: list[PreparedCell], calls: int, pause: float, began: float) -> bool:
    """Time them; whether each run added the same to each arm's counters."""
    order = random.Random(job.seed)
    numbers = list(range(len(arms)))
    steps: list[set[tuple[int, ...]]] = [set() for _ in arms]
    longest = 0.0
    for number in range(job.pairs):
        if job.stepped:
            os.read(sys.stdin.fileno(), 1)
        start = monotonic()
        if number and not job.stepped and start - began + longest > job.seconds:
            break
        order.shuffle(numbers)
        for arm in numbers:
            gc.collect()
            before = arms[arm].totals()
            values = _timed_calls(arms[arm], calls, pause)
            steps[arm].add(tuple(b - a for a, b in zip(before, arms[arm].totals(), strict=True)))
            _say("block", {"round": number, "arm": arm, "ns": values})
        longest = max(longest, monotonic() - start)
    return all(len(one) == 1 for one in steps)


def _warm_up(arm: PreparedCell) -> tuple[list[int], float]:
    """Nanoseconds of up to three runs, fewer of a long one; and the pause that calls like it need."""
    pause = 0.0 if isinstance(arm, TimedElsewhere) else pause_for(arm.run)
    arm.reset()
    values: list[int] = []
    while len(values) < _MOST_WARMUPS and sum(values) < _WARM_NS:
        values += _timed_calls(arm, 1, pause)
    return values, pause


def _timed_calls(arm: PreparedCell, calls: int, pause: float) -> list[int]:
    """Nanoseconds of each of `calls` runs; `pause` seconds at most come before each."""
    if isinstance(arm, TimedElsewhere):
        return [arm.time() for _ in range(calls)]
    run, reset, clock = arm.run, arm.reset, perf_counter_ns
    values = []
    for _ in range(calls):
        settle(pause)
        start = clock()
        run()
        values.append(clock() - start)
        reset()
    return values


def _pin(cpu: int | None) -> bool:
    """Stay on one CPU, and with us the children whose forks we time."""
    if cpu is None:
        return False
    try:
        os.sched_setaffinity(0, {cpu})
    except OSError:
        return False
    return True


def _say(kind: str, value: Any) -> None:  # noqa: ANN401  # whatever JSON can hold
    sys.stdout.write(json.dumps({kind: value}) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
