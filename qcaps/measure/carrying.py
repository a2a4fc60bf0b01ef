"""A plan's jobs as errands: plain values that are carried out here, or on another host, in the same way.

A `Carrier` takes errands one after another and gives deliveries back, in whatever order they come. `Here` is
this machine; `qcaps.measure.cluster` has the one that is many.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from qcaps.measure.results import results_file
from qcaps.measure.results.answered import circumstances_of, measured
from qcaps.measure.results.results_file import CUT_SHORT, Measured, Results
from qcaps.measure.results.session import session_facts
from qcaps.measure.worker.running import HUNG, INTERRUPTED, Answer, WorkerError, run_worker
from qcaps.measure.worker.work import Job

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from qcaps.measure.results.results_file import Metadata

OnLine = Callable[["Errand", int], None]
"""Told of an errand that is on, and how many lines its worker has said."""

_TRIES = 2


@dataclass(frozen=True)
class Errand:
    """One job of a plan; its folder and its CPU are for whoever carries it out to choose.

    `number` is the worker's in the results. After `patience` seconds the worker is killed; with a `limit` on
    the whole plan that is no fault of the worker's.
    """

    number: int
    job: Job
    hash_seed: int
    patience: float
    limited: bool = False

    def to_plain(self) -> dict[str, Any]:
        """The errand as JSON can hold it."""
        return {**vars(self), "job": self.job.to_json()}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Errand:
        """The reverse of `to_plain`."""
        return cls(**{**plain, "job": Job.from_json(plain["job"])})


@dataclass(frozen=True)
class Delivery:
    """What became of an errand: results, or why there are none.

    `refused` is the worker's own complaint; `cut_short` what ended it before it was done; `steady` whether
    counts stayed the same.
    """

    number: int
    measured: tuple[Measured, ...] = ()
    refused: str = ""
    cut_short: str = ""
    steady: bool = True

    def to_plain(self) -> dict[str, Any]:
        """The delivery as JSON can hold it, its results as the text of a results file."""
        text = results_file.to_text(Results(self.measured)) if self.measured else ""
        return {**vars(self), "measured": text}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any], origin: str) -> Delivery:
        """The reverse of `to_plain`. Raises QcapsError that names the origin."""
        text = plain["measured"]
        found = results_file.from_text(text, origin).measured if text else ()
        return cls(**{**plain, "measured": found})


class Carrier(Protocol):
    """Who carries errands out. `width` is how many at the same time."""

    @property
    def width(self) -> int:
        """How many errands are on at a time."""

    def carry_out(self, errands: Iterable[Errand], on_line: OnLine) -> Iterator[list[Delivery]]:
        """Deliveries as they come, several where several are there; an errand is taken when one can begin."""


@dataclass(frozen=True)
class Here:
    """This machine: one errand after another, files in `scratch`."""

    scratch: Path
    width: int = 1

    def carry_out(self, errands: Iterable[Errand], on_line: OnLine) -> Iterator[list[Delivery]]:
        """One delivery at a time."""
        session = session_facts(self.scratch)
        for errand in errands:
            yield [carry_out(errand, self.scratch, session, on_line)]


def carry_out(errand: Errand, scratch: Path, session: Metadata, on_line: OnLine) -> Delivery:
    """Do one job in a process of its own, its files in `scratch`, on a CPU of its own.

    A worker that is killed gets one more try.
    """
    lines = 0

    def count() -> None:
        nonlocal lines
        lines += 1
        on_line(errand, lines)

    on_line(errand, 0)
    job = replace(errand.job, directory=str(scratch / f"worker-{errand.number}"), cpu=timing_cpu())
    try:
        answer = _run(job, errand, count)
    except WorkerError as error:
        return Delivery(errand.number, refused=str(error))
    if errand.limited and answer.cut_short == HUNG:
        answer.cut_short = ""  # all the time there is was up, and that is said
    return Delivery(
        errand.number,
        tuple(_measured(job, answer, errand.number, session)),
        cut_short=answer.cut_short,
        steady=answer.done is None or answer.done["steady"],
    )


def timing_cpu() -> int | None:
    """The CPU workers stay on: the last we may use, since interrupts and others prefer the first."""
    return max(os.sched_getaffinity(0), default=None)


def _run(job: Job, errand: Errand, on_line: Callable[[], None]) -> Answer:
    """The job's answer; of a second try if the first worker was killed."""
    directory = Path(job.directory)
    answers: list[Answer] = []
    while len(answers) < _TRIES:
        directory.mkdir()
        try:
            answers.append(run_worker(job, errand.hash_seed, errand.patience, on_line))
        finally:
            shutil.rmtree(directory, ignore_errors=True)
        if answers[-1].cut_short in ("", HUNG, INTERRUPTED):
            return answers[-1]
    return max(answers, key=lambda answer: len(answer.complete_rounds()))


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
