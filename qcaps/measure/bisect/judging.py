"""Is a commit as the good end is, or as the bad one: by counts exactly, by time from pairs."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, NamedTuple

from qcaps.errors import QcapsError
from qcaps.measure.bisect.search import BisectSide
from qcaps.measure.gate import revisions
from qcaps.measure.gate.decision import GateOutcome, check_counts
from qcaps.measure.gate.evidence import first_beyond
from qcaps.measure.gate.pair_store import PairStore
from qcaps.measure.gate.relay import Relay, running
from qcaps.measure.gate.rounds import calls_for_scatter, take_round
from qcaps.measure.gate.series import point
from qcaps.measure.gate.verdict import ALPHA, LOOKS, Interval, interval
from qcaps.measure.results.answered import counts_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from qcaps.measure.cell import Cell
    from qcaps.measure.gate.arms import Arm
    from qcaps.measure.gate.rounds import Bench

    Counted = Mapping[str, Mapping[str, int]]


class UndecidedError(QcapsError):
    """The two ends are not told apart, so there is nothing to look for."""

    exit_status = 3


ENDS_PAIRS = 32
"""Pairs the two ends are told apart by, at least: all steps are held against the size of the change."""
MOST_PAIRS = LOOKS[-1]
_LEAST_CHANGE = 0.01  # ln
_SETTLING_PAIRS = 8
"""After so many the calls a block are set anew, by how pairs scatter."""


def count(bench: Bench, arm: Arm) -> dict[str, dict[str, int]]:
    """What a commit counts on each benchmark. Raises ArmError, MismatchError."""
    with running((arm,), bench.work, bench.chance(), bench.scratch) as (process,):
        return {cell.name: _plain(bench, cell, process) for cell in bench.sources}


def differing(good: Counted, bad: Counted) -> list[tuple[str, str]]:
    """The counts in which the two ends differ: benchmark, and what is counted."""
    return [
        (name, what)
        for name, counts in good.items()
        for what, value in counts.items()
        if bad[name][what] != value
    ]


class Told(NamedTuple):
    """A side, and the reason where it needs one."""

    side: BisectSide
    why: str = ""


def by_counts(found: Counted, good: Counted, bad: Counted) -> Told:
    """Good where all that the ends differ in is as in the good end; what is like neither end is not good."""
    keys = differing(good, bad)
    values = [found[name][what] for name, what in keys]
    if values == [good[name][what] for name, what in keys]:
        return Told(BisectSide.GOOD)
    if values == [bad[name][what] for name, what in keys]:
        return Told(BisectSide.BAD)
    return Told(BisectSide.BAD, "like neither end: more than one commit changes what is counted")


@dataclass(frozen=True)
class SoughtChange:
    """The change that is looked for: on which benchmark, how much (ln of the ratio), from how many pairs."""

    cell: Cell
    size: float
    found: Interval

    @property
    def limits(self) -> tuple[float, float]:
        """A quarter and three quarters of the least change the ends allow: above is not good, below not bad.

        The least, since what is too large for a change would take bad commits for good ones.
        """
        bounds = (math.log(self.found.low), math.log(self.found.high))
        least = max(min(math.copysign(1.0, self.size) * one for one in bounds), _LEAST_CHANGE)
        return least / 4, 3 * least / 4


def find_change(
    bench: Bench, arms: tuple[Arm, Arm], delta: float, on_pair: Callable[[int, int, str], None]
) -> SoughtChange:
    """The benchmark in which the ends differ most surely by more than `delta`.

    Raises UndecidedError where they do in none after MOST_PAIRS, and ArmError, MismatchError.
    """
    cells, store = tuple(bench.sources), PairStore(None)
    check_counts(bench, arms, cells, GateOutcome())
    threshold = math.log(2 * len(cells) / ALPHA)
    with Relay(bench, arms) as relay:
        for number in range(1, MOST_PAIRS + 1):
            for sides in take_round(bench, relay, cells, store.taken):
                store.add(sides)
            on_pair(number, MOST_PAIRS, "the two ends")
            if number % _SETTLING_PAIRS == 0:
                bench.calls.update({cell: calls_for_scatter(store.runs(cell)) for cell in cells})
            if number >= ENDS_PAIRS:
                changes = [_change(cell, store, delta) for cell in cells]
                told = [one for one in changes if _is_told(one, store, delta, threshold)]
                if told:
                    return max(told, key=_sureness)
    seen = "; ".join(
        f"{one.cell.name} {100 * (one.found.low - 1):+.1f} to {100 * (one.found.high - 1):+.1f} %"
        for one in changes
    )
    raise UndecidedError(
        f"good and bad are not told apart by more than {delta:.0%} in {MOST_PAIRS} pairs: {seen}"
    )


def _change(cell: Cell, store: PairStore, delta: float) -> SoughtChange:
    found = interval(point(cell).differences(store.pairs), delta)
    return SoughtChange(cell, math.log(found.ratio), found)


def _is_told(change: SoughtChange, store: PairStore, delta: float, threshold: float) -> bool:
    sign = math.copysign(1.0, change.size)
    towards = [sign * one for one in point(change.cell).differences(store.pairs)]
    return first_beyond(towards, math.log1p(delta), threshold) is not None


def by_time(
    bench: Bench,
    arms: tuple[Arm, Arm],
    change: SoughtChange,
    steps: int,
    on_pair: Callable[[int, int, str], None],
) -> tuple[Told, Interval]:
    """Pairs of a commit with the good end until the evidence says which end it is not like.

    `steps` is how many such decisions the search may need: by the union bound all of them are right, but for
    a chance of twice ALPHA. Raises ArmError, MismatchError.
    """
    store, threshold = PairStore(None), math.log(steps / ALPHA)
    if change.cell not in bench.calls:  # taken up again: the ends were timed by another process
        check_counts(bench, arms, (change.cell,), GateOutcome())
    sign = math.copysign(1.0, change.size)
    with Relay(bench, arms) as relay:
        while True:
            differences = [sign * one for one in point(change.cell).differences(store.pairs)]
            side = _side(differences, change.limits, threshold)
            if side is not None or len(differences) >= MOST_PAIRS:
                found = interval([sign * one for one in differences], 0.0)
                if side is None:
                    return Told(
                        BisectSide.SKIPPED, f"{len(differences)} pairs do not tell which end it is like"
                    ), found
                return Told(side), found
            for sides in take_round(bench, relay, (change.cell,), store.taken):
                store.add(sides)
            on_pair(store.taken(change.cell), MOST_PAIRS, arms[1].version)


def _side(differences: Sequence[float], limits: tuple[float, float], threshold: float) -> BisectSide | None:
    """Bad by evidence that it lies above the first limit, good by evidence that it lies below the second."""
    if not differences:
        return None
    above, below = limits
    if first_beyond(differences, above, threshold) is not None:
        return BisectSide.BAD
    if first_beyond([-one for one in differences], -below, threshold) is not None:
        return BisectSide.GOOD
    return None


def _sureness(change: SoughtChange) -> float:
    width = math.log(change.found.high / change.found.low)
    return abs(change.size) / max(width, 1e-9)


def _plain(bench: Bench, cell: Cell, process: object) -> dict[str, int]:
    from qcaps.measure.gate.arms import ArmProcess

    assert isinstance(process, ArmProcess)
    plain = asdict(counts_of(bench.run(cell, process)))
    return {what: value for what, value in plain.items() if isinstance(value, int)}


def alike(arms: Sequence[Arm], bench: Bench) -> tuple[Arm, Arm]:
    """The good end and a commit, their code in folders like each other's."""
    good, other = (
        revisions.alike(arm, bench.scratch / f"code-of-{side}")
        for arm, side in zip(arms, ("good", "step"), strict=True)
    )
    return good, other
