"""Where a gate measures: one bench here, or one on each of many hosts; the gate is the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from qcaps.measure.cell import Cell
from qcaps.measure.gate import decision
from qcaps.measure.gate.decision import GateOutcome, Progress, judge_all, take_verdicts
from qcaps.measure.gate.pair_store import PairStore
from qcaps.measure.gate.relay import Relay
from qcaps.measure.gate.rounds import take_round

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator
    from pathlib import Path

    from qcaps.measure.gate.arms import Arm
    from qcaps.measure.gate.margins import MarginTable
    from qcaps.measure.gate.rounds import Bench, Sides

OnProgress = Callable[[Progress], None]
Missing = Callable[[Mapping[Cell, int]], Mapping[Cell, int]]
"""Told how many pairs of each cell are being taken: the cells of one more round, and how many each lacks."""


class Benches(Protocol):
    """Two arms on the cells of a gate, on one bench or several."""

    @property
    def draw(self) -> random.Random:
        """Source of what is random."""

    @property
    def width(self) -> int:
        """How many take rounds at the same time."""

    def check_counts(self, outcome: GateOutcome) -> None:
        """Counts of each cell into `outcome`. Raises ArmError and MismatchError."""

    def check_hosts(self, outcome: GateOutcome, store: PairStore, on_progress: OnProgress) -> str:
        """Why no host can judge; "" if one can. One that cannot, beside others, is left out with a note."""

    def take(self, missing: Missing, store: PairStore) -> Iterator[Sides]:
        """Pairs, round by round, until nothing is missing; each is of one bench, and to be put in `store`."""


@dataclass(frozen=True)
class OneBench:
    """A bench on this machine."""

    bench: Bench
    arms: tuple[Arm, Arm]
    width: int = 1

    @property
    def draw(self) -> random.Random:
        """The bench's own."""
        return self.bench.draw

    @property
    def cells(self) -> tuple[Cell, ...]:
        """What it has domains for."""
        return tuple(self.bench.sources)

    def check_counts(self, outcome: GateOutcome) -> None:
        """One process of each arm counts."""
        decision.check_counts(self.bench, self.arms, self.cells, outcome, leave_out=True)

    def check_hosts(self, outcome: GateOutcome, store: PairStore, on_progress: OnProgress) -> str:
        """Base against itself, on what was counted."""
        cells = tuple(cell for cell in self.cells if cell not in outcome.refused)
        return decision.check_host(self.bench, self.arms[0], cells, store, on_progress)

    def take(self, missing: Missing, store: PairStore) -> Iterator[Sides]:
        """One round after another."""
        with Relay(self.bench, self.arms) as relay:
            while cells := missing({}):
                yield from take_round(self.bench, relay, cells, store.taken)


def take_pairs(benches: Benches, wanted: Mapping[Cell, int], store: PairStore) -> None:
    """As many pairs of each cell in `store` as are wanted, without a verdict; what it has already counts.

    Each pair says by its `host` where it was measured. Counts are to be checked first (`check_counts`): they
    say how many calls make a block. Raises ArmError and MismatchError.
    """
    cells = list(wanted)

    def missing(on: Mapping[Cell, int]) -> dict[Cell, int]:
        store.save()
        benches.draw.shuffle(cells)
        lacking = {cell: wanted[cell] - store.taken(cell) - on.get(cell, 0) for cell in cells}
        return {cell: pairs for cell, pairs in lacking.items() if pairs > 0}

    try:
        for sides in benches.take(missing, store):
            store.add(sides)
    finally:
        store.save()


def decide(
    bench: Bench,
    arms: tuple[Arm, Arm],
    counted: GateOutcome,
    table: MarginTable,
    *,
    on_progress: OnProgress = lambda _progress: None,
    folder: Path | None = None,
) -> tuple[GateOutcome, PairStore]:
    """The verdicts on cells that were counted, from pairs of their own, kept in `folder` if there is one."""
    outcome, store = GateOutcome(counts=counted.counts, laws=counted.laws), PairStore(folder)
    outcome.judged = judge_all(outcome, table, store)
    take_verdicts(OneBench(bench, arms), store, outcome, on_progress)
    return outcome, store
