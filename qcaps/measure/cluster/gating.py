"""A gate's benches on the hosts of a cluster: a pair is of one host, and hosts take rounds side by side.

Pairs count in the order in which their rounds were asked for. In the order in which they come, those of a
slower head would come later, and the evidence is about each pair given those before it.
"""

from __future__ import annotations

import math
import sys
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qcaps.errors import QcapsError
from qcaps.measure.cell import Cell
from qcaps.measure.cluster.connection import LostError
from qcaps.measure.cluster.packages import Packed, pack
from qcaps.measure.gate import revisions
from qcaps.measure.gate.arms import MismatchError
from qcaps.measure.gate.counting import CountFault
from qcaps.measure.gate.decision import Progress
from qcaps.measure.results import results_file
from qcaps.measure.subject import Counts

if TYPE_CHECKING:
    import random
    from collections.abc import Collection, Iterator, Sequence

    from distributed import Future

    from qcaps.measure.cluster.connection import Cluster
    from qcaps.measure.cluster.host import Plain
    from qcaps.measure.gate.arms import Arm
    from qcaps.measure.gate.benches import Missing, OnProgress
    from qcaps.measure.gate.decision import GateOutcome
    from qcaps.measure.gate.pair_store import PairStore
    from qcaps.measure.gate.rounds import Sides
    from qcaps.measure.results.results_file import Metadata

_MOST_ROUNDS = 4
"""A portion's: more would be lost with a host, and judged later."""
Blocks = dict[Cell, tuple[int, float]]
"""Calls a block of a cell, and the pause before each, on one host."""


@dataclass(frozen=True)
class Turns:
    """Rounds in a row on one host: a pair of each cell in each; numbers from `first`."""

    first: int
    rounds: int
    cells: tuple[Cell, ...]


@dataclass(kw_only=True)
class ManyBenches:
    """One bench on each host. `notes` takes what is to be said of hosts; the rest as in `Bench`."""

    cluster: Cluster
    arms: tuple[Arm, Arm]
    sources: dict[Cell, str]
    session: Metadata
    patience: float
    draw: random.Random
    scratch: Path | None = None
    notes: list[str] = field(default_factory=list)
    _blocks: dict[str, Blocks] = field(default_factory=dict)
    _packed: list[Plain] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._blocks = {host: {} for host in self.cluster.hosts}
        self._packed = [_sent(arm) for arm in self.arms]

    @property
    def width(self) -> int:
        """The hosts that take part."""
        return len(self._blocks)

    def check_counts(self, outcome: GateOutcome) -> None:
        """Each host counts. Raises MismatchError where one counts otherwise than the first."""
        answers = self._on_each("count", tuple(self.sources))
        (first, found), *others = answers.items()
        for host, one in others:
            for cell, expected, counts in zip(self.sources, found["counts"], one["counts"], strict=True):
                if counts != expected:
                    raise MismatchError(
                        f"{cell.name}: {_differing(expected, counts)} on host {first} and on host {host}:"
                        " they do not measure the same"
                    )
        for cell, counts, laws in zip(self.sources, found["counts"], found["laws"], strict=True):
            base, head = (Counts(**one) for one in counts)
            outcome.counts[cell], outcome.laws[cell] = (base, head), (laws[0], laws[1])
        outcome.faults += [
            CountFault(**{**one, "cell": Cell.from_plain(one["cell"])}) for one in found["faults"]
        ]
        outcome.notes += found["notes"]
        self._keep_blocks(answers)

    def check_hosts(self, _outcome: GateOutcome, store: PairStore, on_progress: OnProgress) -> str:
        """Base against itself on each host; one that is too noisy is left out, and named."""
        answers = self._on_each("examine", tuple(self.sources), on_progress)
        self._keep_blocks(answers)
        noisy = {host: one["noisy"] for host, one in answers.items() if one["noisy"]}
        for host, one in answers.items():
            self.notes += [f"{host}: {warning}" for warning in one["warnings"]]
            for base, head in _sides(one, host):
                number = store.taken(base.cell)
                store.add((_numbered(base, number), _numbered(head, number)))
        store.save()
        if len(noisy) == len(answers):
            return "; ".join(f"{host}: {why}" for host, why in noisy.items())
        for host, why in noisy.items():
            self._leave_out(host, why)
        return ""

    def take(self, missing: Missing, store: PairStore) -> Iterator[Sides]:
        """Rounds on all hosts until nothing is missing. Raises QcapsError when no host is left."""
        number = due = 1 + max((pair.number for some in store.pairs.values() for pair in some), default=-1)
        sent: dict[Future, tuple[str, Turns]] = {}
        again: list[Turns] = []
        came: dict[int, tuple[Turns, list[Sides]]] = {}
        try:
            while missing({}):
                while free := [
                    host for host in self._blocks if host not in {one for one, _ in sent.values()}
                ]:
                    on = [turns for _, turns in sent.values()] + again + [turns for turns, _ in came.values()]
                    turns = again.pop() if again else _turns(number, missing(_pairs_on(on)), len(free))
                    if turns is None:
                        break
                    number = max(number, turns.first + turns.rounds)
                    sent[self._submit_rounds(free[0], turns)] = (free[0], turns)
                for future in self.cluster.first_of(sent):
                    host, turns = sent[future]
                    try:
                        if (answer := self.cluster.answer(future)) is None:
                            continue
                        came[turns.first] = (turns, _sides(answer, host))
                    except LostError as error:
                        self._leave_out(host, str(error))
                        again.append(turns)
                    del sent[future]
                while due in came:
                    turns, sides = came.pop(due)
                    due += turns.rounds
                    yield from sides
        finally:
            self.cluster.cancel(sent)

    def _on_each(
        self, do: str, cells: Sequence[Cell], on_progress: OnProgress = lambda _progress: None
    ) -> dict[str, Plain]:
        """What each host answers; one that is lost is left out."""
        sent = {self._submit(do, host, cells): host for host in self._blocks}
        count, hosts = len(sent), list(self._blocks)
        found: dict[str, Plain] = {}
        try:
            while sent:
                on_progress(Progress(count - len(sent), count, f"{do} on {', '.join(sent.values())}"))
                for future in self.cluster.first_of(sent):
                    host = sent[future]
                    try:
                        if (answer := self.cluster.answer(future)) is None:
                            continue
                        found[host] = answer
                    except LostError as error:
                        self._leave_out(host, str(error))
                    del sent[future]
        finally:
            self.cluster.cancel(sent)
        return {host: found[host] for host in hosts if host in found}

    def _submit(self, do: str, host: str, cells: Sequence[Cell], **more: object) -> Future:
        blocks = self._blocks[host]
        rows = []
        for cell in cells:
            calls, pause = blocks.get(cell, (0, None))
            rows.append({"cell": cell.to_plain(), "xml": self.sources[cell], "calls": calls, "pause": pause})
        portion = {
            "arms": self._packed,
            "cells": rows,
            "session": self.session,
            "patience": self.patience,
            "seed": self.draw.randrange(2**63),
            "scratch": str(self.scratch) if self.scratch else "",
            **more,
        }
        return self.cluster.submit(do, portion, host)

    def _submit_rounds(self, host: str, turns: Turns) -> Future:
        return self._submit("rounds", host, turns.cells, first=turns.first, rounds=turns.rounds)

    def _keep_blocks(self, answers: dict[str, Plain]) -> None:
        for host, one in answers.items():
            pairs = ((int(calls), float(pause)) for calls, pause in one["blocks"])
            self._blocks[host] = dict(zip(self.sources, pairs, strict=True))

    def _leave_out(self, host: str, why: str) -> None:
        del self._blocks[host]
        self.notes.append(f"host {host} is left out: {why}")
        if not self._blocks:
            raise QcapsError(f"{self.cluster.access.address}: no host is left ({self.notes[-1]})")


def _turns(number: int, lacking: Any, hosts: int) -> Turns | None:  # noqa: ANN401
    """The next rounds of one of so many hosts that are free."""
    if not lacking:
        return None
    rounds = min(math.ceil(max(lacking.values()) / hosts), _MOST_ROUNDS)
    return Turns(number, rounds, tuple(lacking))


def _pairs_on(turns: Collection[Turns]) -> dict[Cell, int]:
    """Pairs of each cell that are asked for and not judged yet."""
    found: dict[Cell, int] = {}
    for one in turns:
        for cell in one.cells:
            found[cell] = found.get(cell, 0) + one.rounds
    return found


def _sides(answer: Plain, host: str) -> list[Sides]:
    """The pairs of an answer, round by round."""
    base, head = (results_file.from_text(answer[side], f"pairs of host {host}") for side in ("base", "head"))
    heads = {(one.cell, run.worker): replace(one, runs=(run,)) for one in head.measured for run in one.runs}
    found = [
        (run.worker, (replace(one, runs=(run,)), heads[one.cell, run.worker]))
        for one in base.measured
        for run in one.runs
    ]
    return [sides for _, sides in sorted(found, key=lambda pair: pair[0])]


def _numbered(one: Any, number: int) -> Any:  # noqa: ANN401
    return replace(one, runs=tuple(replace(run, worker=number) for run in one.runs))


def _sent(arm: Arm) -> Plain:
    """The arm and its package; on this interpreter it is on the host's own there."""
    packed: Packed = pack(Path(revisions.identity(arm)["place"]))
    python = "" if arm.python == sys.executable else arm.python
    return {"arm": asdict(replace(arm, python=python, path="")), "packed": tuple(packed)}


def _differing(expected: Sequence[dict[str, Any]], counts: Sequence[dict[str, Any]]) -> str:
    for side, one, other in zip(("base", "head"), expected, counts, strict=True):
        for what, value in one.items():
            if other[what] != value:
                return f"{what} {value} and {other[what]} in {side}"
    return "counts differ"
