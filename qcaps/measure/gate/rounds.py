"""Takes pairs: a round is a pair of each cell asked for, from two processes started for that round."""

from __future__ import annotations

import os
import random
import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from qcaps.measure.gate.arms import Turn, running
from qcaps.measure.results.results_file import Measured, Metadata, Run
from qcaps.measure.subject import Counts
from qcaps.measure.worker.chance import Chance
from qcaps.measure.worker.work import Job

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from qcaps.measure.cell import Cell
    from qcaps.measure.gate.arms import Arm, ArmProcess
    from qcaps.measure.worker.running import Answer

Sides = tuple[Measured, Measured]
_PATIENCE_SECONDS = 120.0
_BLOCK_NS = 50_000_000
_FEWEST_TURNS, _MOST_TURNS = 8, 20


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What every block needs: the domains of the cells, calls a block, where to write.

    `calls` of a cell are the same for both arms: each call of one has a partner in the other. `patience` is
    how many seconds one call may take.
    """

    sources: dict[Cell, str]
    scratch: Path
    calls: dict[Cell, int] = field(default_factory=dict)
    session: Metadata = field(default_factory=dict)
    patience: float = _PATIENCE_SECONDS
    draw: random.Random = field(default_factory=random.Random)

    @property
    def subjects(self) -> tuple[str, ...]:
        """What an arm's process imports."""
        return tuple(dict.fromkeys(cell.subject for cell in self.sources))

    def chance(self) -> Chance:
        """What the processes of a round have in common."""
        return Chance.draw(self.draw)

    def job(self, cell: Cell, process: ArmProcess, *, calls: int = 0, explain: bool = False) -> Job:
        """The job of one child: as many calls, each when told; without any it only counts and warms up."""
        directory = self.scratch / process.arm.name.replace(" ", "-")
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir()
        return Job(
            cells=(cell,),
            xml=self.sources[cell],
            directory=str(directory),
            pairs=calls,
            seconds=self.patience,
            seed=0,
            cpu=max(os.sched_getaffinity(0), default=None),
            calls=1,
            slowdown=process.arm.slowdown,
            explain=explain,
            stepped=calls > 0,
        )

    def run(self, cell: Cell, process: ArmProcess, *, explain: bool = False) -> Answer:
        """Count, or explain, without timing."""
        return process.run(self.job(cell, process, explain=explain), self.patience)

    def take_pair(self, cell: Cell, processes: Sequence[ArmProcess]) -> tuple[list[Answer], str]:
        """A block of each process, taking turns call by call; the answers, and which arm began each turn.

        A neighbour's burst that outlasts a call strikes both blocks, and hardly changes their ratio.
        """
        calls = self.calls.get(cell, _FEWEST_TURNS)
        turns = [Turn(process, self.job(cell, process, calls=calls), self.patience) for process in processes]
        for turn in turns:
            turn.until("ready")
        order, first = list(range(len(turns))), []
        for _ in range(calls):
            self.draw.shuffle(order)
            first.append("bh"[order[0]])
            for side in order:
                turns[side].step()
        for turn in turns:
            turn.finish()
        return [turn.answer for turn in turns], "".join(first)


def calls_for(answers: Iterable[Answer]) -> int:
    """Calls that make a block of the slower arm about 50 ms, 8 to 20."""
    slowest: int = max(min(answer.ready["warmups"][0]) for answer in answers if answer.ready)
    return min(max(_BLOCK_NS // max(slowest, 1), _FEWEST_TURNS), _MOST_TURNS)


def take_round(
    bench: Bench,
    arms: tuple[Arm, Arm],
    cells: Iterable[Cell],
    number: Callable[[Cell], int],
) -> Iterator[Sides]:
    """A pair of each cell: the arms in random order, under one draw. `number` numbers a cell's pair."""
    chance = bench.chance()
    with running(arms, bench.subjects, chance, bench.scratch) as processes:
        for cell in cells:
            answers, first = bench.take_pair(cell, processes)
            facts: Metadata = {**chance.facts(), "first_in_turns": first}
            base, head = (
                _measured(cell, process, answer, number(cell), {**bench.session, **facts})
                for process, answer in zip(processes, answers, strict=True)
            )
            yield base, head


def counts_of(answer: Answer) -> Counts:
    """What one run of the cell's task did."""
    assert answer.ready is not None, "a child that ended well was ready once"
    return Counts(**answer.ready["counts"][0])


def _measured(cell: Cell, process: ArmProcess, answer: Answer, number: int, facts: Metadata) -> Measured:
    assert answer.ready is not None, "a child that ended well was ready once"
    block = [value for turn in answer.complete_rounds() for value in turn[0]]
    session: Metadata = {
        **facts,
        **answer.ready["facts"][0],
        "date": datetime.now(UTC).replace(tzinfo=None).isoformat(" ", "microseconds"),
        "gc": answer.ready["gc"],
        "python_version": process.python,
        "arm": process.arm.name,
        "arm_version": process.arm.version or process.arm.python,
    }
    if answer.ready["pinned"]:
        session["cpu_affinity"] = str(max(os.sched_getaffinity(0), default=""))
    if process.arm.slowdown:
        session["injected_slowdown"] = process.arm.slowdown
    return Measured(
        cell,
        counts_of(answer),
        (
            Run(
                number,
                (tuple(value / 1e9 for value in block),),
                tuple(value / 1e9 for value in answer.ready["warmups"][0]),
                session,
            ),
        ),
    )
