"""What a worker answered, as results: the same shape whether one process timed every arm or each its own."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from qcaps.measure.results.results_file import Measured, Run
from qcaps.measure.subject import Counts

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from qcaps.measure.cell import Cell
    from qcaps.measure.results.results_file import Metadata
    from qcaps.measure.worker.running import Answer


def circumstances_of(answer: Answer, cpu: int | None) -> Metadata:
    """Metadata of a process that has answered: when, and how it was set up."""
    assert answer.ready is not None, "a worker that timed was ready once"
    return {
        "date": datetime.now(UTC).replace(tzinfo=None).isoformat(" ", "microseconds"),
        "gc": answer.ready["gc"],
        "cpu_affinity": str(cpu) if answer.ready["pinned"] else "not pinned",
    }


def counts_of(answer: Answer, arm: int = 0) -> Counts:
    """What one run of an arm's task did."""
    assert answer.ready is not None, "a worker that ended well was ready once"
    return Counts(**answer.ready["counts"][arm])


def measured(
    cell: Cell, answer: Answer, arm: int, number: int, *, blocks: Iterable[Sequence[int]], facts: Metadata
) -> Measured:
    """One arm of an answer, its blocks in nanoseconds, as the run called `number`."""
    assert answer.ready is not None, "a worker that timed was ready once"
    run = Run(
        number,
        tuple(map(_seconds, blocks)),
        _seconds(answer.ready["warmups"][arm]),
        {**facts, **answer.ready["facts"][arm]},
    )
    return Measured(cell, counts_of(answer, arm), (run,))


def _seconds(nanoseconds: Iterable[int]) -> tuple[float, ...]:
    return tuple(value / 1e9 for value in nanoseconds)
