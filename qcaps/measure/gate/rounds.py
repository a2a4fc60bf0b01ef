"""Takes pairs: a round is a pair of each cell asked for, from two processes started for that round.

Where an arm stands is drawn, for each pair anew: whose process is started first and where its code lies (once
a round), who gets its job and warms up first and where its files lie (once a pair), who is asked first (each
turn). Position is worth half a percent, more than a verdict forgives. Draws are independent, not balanced
over pairs: the last of a balanced block would be known before it is taken, and the evidence stands on pairs
whose sign is not.
"""

from __future__ import annotations

import json
import math
import os
import random
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from qcaps.measure.gate.arms import Turn
from qcaps.measure.gate.verdict import median_deviation
from qcaps.measure.results.answered import circumstances_of, measured
from qcaps.measure.results.results_file import Measured, Metadata
from qcaps.measure.worker.chance import Chance
from qcaps.measure.worker.work import Job

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from qcaps.measure.cell import Cell
    from qcaps.measure.gate.arms import Arm, ArmProcess
    from qcaps.measure.gate.relay import Relay
    from qcaps.measure.results.results_file import Run
    from qcaps.measure.worker.running import Answer

Sides = tuple[Measured, Measured]
_PATIENCE_SECONDS = 120.0
_BLOCK_NS = 50_000_000
_FEWEST_TURNS, _MOST_TURNS = 8, 40
_PAIR_SCATTER = 0.02


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What every block needs: the domains of the cells, calls a block, where to write.

    `calls` of a cell are the same for both arms: each call of one has a partner in the other. So are `pauses`
    before them, or an arm that sleeps would be timed otherwise than one that does not. `patience` is
    how many seconds one call may take.
    """

    sources: dict[Cell, str]
    scratch: Path
    calls: dict[Cell, int] = field(default_factory=dict)
    pauses: dict[Cell, float] = field(default_factory=dict)
    session: Metadata = field(default_factory=dict)
    patience: float = _PATIENCE_SECONDS
    draw: random.Random = field(default_factory=random.Random)

    def work(self, arm: Arm) -> str:
        """The first line for an arm's process: each subject, and the domains that jobs will be on."""
        found: dict[str, list[str]] = {}
        for cell, xml in self.sources.items():
            found.setdefault(arm.own(cell).subject, []).append(xml)
        return json.dumps(found)

    def chance(self) -> Chance:
        """What the processes of a round have in common."""
        return Chance.draw(self.draw)

    def job(
        self, cell: Cell, process: ArmProcess, place: int = 0, *, calls: int = 0, explain: bool = False
    ) -> Job:
        """The job of one child: as many calls, each when told; without any it only counts and warms up.

        Its files lie in a folder that has the number of its `place` in its name.
        """
        directory = self.scratch / f"files-{place}"
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir()
        return Job(
            cells=(process.arm.own(cell),),
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
            pause=self.pauses.get(cell),
        )

    def run(self, cell: Cell, process: ArmProcess, *, explain: bool = False) -> Answer:
        """Count, or explain, without timing."""
        return process.run(self.job(cell, process, explain=explain), self.patience)

    def take_pair(self, cell: Cell, processes: Sequence[ArmProcess]) -> tuple[list[Answer], str, str]:
        """A block of each process, taking turns call by call; the answers, who got its job and each turn
        first.

        A neighbour's burst that outlasts a call strikes both blocks, and hardly changes their ratio.
        """
        calls = self.calls.get(cell, _FEWEST_TURNS)
        order, first = list(range(len(processes))), []
        self.draw.shuffle(order)
        begun: dict[int, Turn] = {}
        for place, side in enumerate(order):
            job = self.job(cell, processes[side], place, calls=calls)
            begun[side] = Turn(processes[side], job, self.patience)
            begun[side].until("ready")
        turns = [begun[side] for side in range(len(processes))]
        started = "bh"[order[0]]
        for _ in range(calls):
            self.draw.shuffle(order)
            first.append("bh"[order[0]])
            for side in order:
                turns[side].step()
        for turn in turns:
            turn.finish()
        return [turn.answer for turn in turns], started, "".join(first)


def calls_for(answers: Iterable[Answer]) -> int:
    """Calls that make a block of the slower arm about 50 ms, 8 to 20, before more is known."""
    slowest: int = max(min(answer.ready["warmups"][0]) for answer in answers if answer.ready)
    return min(max(_BLOCK_NS // max(slowest, 1), _FEWEST_TURNS), _MOST_TURNS // 2)


def calls_for_scatter(pairs: Iterable[tuple[Run, Run]]) -> int:
    """Calls a block that make a pair scatter by 2 %, told from pairs of equal arms; 8 to 40.

    Turns scatter, a pair's median of them by so much less; more calls cost less than more processes.
    """
    turns = [
        math.log(after / before)
        for base, head in pairs
        for before, after in zip(base.blocks[0], head.blocks[0], strict=False)
    ]
    if not turns:
        return _FEWEST_TURNS
    # The median of k normal turns scatters by 1.25 / sqrt(k) of one, whose deviation is 1.48 median ones.
    wanted = (1.25 * 1.48 * median_deviation(turns) / _PAIR_SCATTER) ** 2
    return round(min(max(wanted, _FEWEST_TURNS), _MOST_TURNS))


def take_round(
    bench: Bench,
    relay: Relay,
    cells: Iterable[Cell],
    number: Callable[[Cell], int],
) -> Iterator[Sides]:
    """A pair of each cell under one draw of chance. `number` numbers a cell's pair."""
    with relay.round() as (round_, processes):
        for cell in cells:
            answers, started, first = bench.take_pair(cell, processes)
            facts: Metadata = {
                **round_.chance.facts(),
                "first_started": "bh"[round_.order[0]],
                "first_prepared": started,
                "first_in_turns": first,
            }
            base, head = (
                _measured(cell, process, answer, number(cell), {**bench.session, **facts})
                for process, answer in zip(processes, answers, strict=True)
            )
            yield base, head


def _measured(cell: Cell, process: ArmProcess, answer: Answer, number: int, facts: Metadata) -> Measured:
    block = [value for turn in answer.complete_rounds() for value in turn[0]]
    session: Metadata = {
        **facts,
        **circumstances_of(answer, max(os.sched_getaffinity(0), default=None)),
        "python_version": process.python,
        "arm": process.arm.name,
        "arm_version": process.arm.version or process.arm.python,
    }
    if process.arm.slowdown:
        session["injected_slowdown"] = process.arm.slowdown
    return measured(cell, answer, 0, number, blocks=[block], facts=session)
