"""Settles suspects: a gate between two neighbours of the line says whether there is a change, and where.

The search sees levels that scatter, so that the place of a change may be off by a few revisions. The gate
first holds the suspected revision against the one before it; if that is no change, the ends of a small
window, and where these differ it halves the window. Benchmarks that are suspected at one place are gated
together.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING

from qcaps.history import records, track
from qcaps.history.measuring import CANNOT
from qcaps.history.records import Compared
from qcaps.measure.gate import decision
from qcaps.measure.gate.benches import OneBench
from qcaps.measure.gate.decision import GateOutcome, Judged, Progress
from qcaps.measure.gate.pair_store import PairStore
from qcaps.measure.gate.series import Pair, Series
from qcaps.measure.gate.verdict import Interval, Margins, Verdict, judge

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qcaps.history.measuring import HistorySession, Target
    from qcaps.measure.cell import Cell

AROUND = 3
"""Revisions to either side where a change may really be."""
_LAYOUTS = 2.8
"""Times what layouts scatter by (standard deviation): two are further apart in one of twenty cases."""


@dataclass(frozen=True)
class Case:
    """A suspect of one benchmark: it changes by `log` somewhere in `window`, likeliest at `at` of it.

    Two builds differ by `least` for their layouts alone.
    """

    cell: Cell
    log: float
    window: tuple[int, ...]
    at: int
    least: float = 0.0


def settle(session: HistorySession, every: Mapping[str, Target]) -> None:
    """Gate every suspect that no gate has settled. `every` holds targets by the name of their revision."""
    while cases := _cases(session, every):
        # One place at a time: what a gate finds there may explain what is suspected beside it.
        place = (cases[0].window[cases[0].at - 1], cases[0].window[cases[0].at])
        together = [one for one in cases if (one.window[one.at - 1], one.window[one.at]) == place]
        if session.stopped or not _settle(session, every, together):
            return


def _cases(session: HistorySession, every: Mapping[str, Target]) -> list[Case]:
    """Suspects that were not gated yet, in the order of the line."""
    known = records.revisions(session.store)
    order = {number: at for at, number in enumerate(known)}
    found = []
    for one in track.read_all(session.store):
        if one.cell not in session.bench.sources:
            continue
        gates = one.settled
        open_ = {(gate.before, gate.after) for gate in gates if gate.verdict is Verdict.INCONCLUSIVE}
        bounds = [order[gate.after] for gate in one.settled if gate.verdict in track.CHANGED]
        bounds += [order[step.after] for step in one.count_steps]
        for number, suspect in one.suspects:
            line = [level.revision for level in one.segments[number].levels]
            places = [0, len(line)]
            places += [next((at for at, n in enumerate(line) if order[n] >= b), len(line)) for b in bounds]
            low = max(suspect.at - AROUND, *(at for at in places if at < suspect.at))
            high = min(suspect.at + AROUND, *(at for at in places if at > suspect.at))
            window = tuple(line[low:high])
            least = _LAYOUTS * one.layout
            undecided = least > abs(suspect.log) / 2 or any(pair in open_ for pair in combinations(window, 2))
            if not undecided and all(known[revision].name in every for revision in window):
                found.append(Case(one.cell, suspect.log, window, suspect.at - low, least))
    return sorted(found, key=lambda case: order[case.window[case.at]])


def _settle(session: HistorySession, every: Mapping[str, Target], cases: Sequence[Case]) -> bool:
    """Settle cases of one place; False if it could not be tried."""
    first = cases[0]
    moved = _gate(session, every, cases, first.window[first.at - 1], first.window[first.at])
    if moved is None:
        return False
    # One by one: windows differ, as what is known of each benchmark does.
    return all(_narrow(session, every, case) for case in cases if not moved[case.cell])


def _narrow(session: HistorySession, every: Mapping[str, Target], case: Case) -> bool:
    """Look for a change between the window's ends, then in halves; False if that could not be tried."""

    def moves(low: int, high: int) -> bool | None:
        found = _gate(session, every, [case], case.window[low], case.window[high])
        return None if found is None else found[case.cell]

    low, high = 0, len(case.window) - 1
    if high == 1:
        return True  # the two were gated before
    moved, gated = moves(low, high), (low, high)
    while moved is not None and high - low > 1 and (moved or gated != (low, high)):
        middle = (low + high) // 2
        gated = (low, middle)
        moved = moves(low, middle)
        low, high = (low, middle) if moved else (middle, high)
    if moved is not None and high - low == 1 and gated != (low, high):
        moved = moves(low, high)
    return moved is not None


def _gate(
    session: HistorySession, every: Mapping[str, Target], cases: Sequence[Case], before: int, after: int
) -> dict[Cell, bool] | None:
    """Whether each case's benchmark changes between two revisions; kept in the store. None if it cannot."""
    known = records.revisions(session.store)
    try:
        base, head = (session.arm(every[known[number].name]) for number in (before, after))
        arms = replace(base, name="base"), replace(head, name="head")
        outcome = GateOutcome()
        decision.check_counts(session.bench, arms, [case.cell for case in cases], outcome)
        session.bench.calls.update(session.calls)
        outcome.judged = [_unjudged(case) for case in cases]
        pairs = PairStore(None)
        what = f"{known[before]} or {known[after]}?"

        def show(progress: Progress) -> None:
            session.on_progress(f"{what} {progress.done} of {progress.wanted} pairs")

        decision.take_verdicts(OneBench(session.bench, arms), pairs, outcome, show)
    except CANNOT as error:
        session.say(f"{known[before]}..{known[after]}: not settled: {error}")
        return None
    compared = Compared(session.environment, before, after)
    found = {}
    with session.store.transaction() as connection:
        for case, judged in zip(cases, outcome.judged, strict=True):
            verdict, interval = _as_it_is(case, judged)
            # A window's ends only say where to look; the change itself lies between neighbours.
            adjacent = case.window.index(after) - case.window.index(before) == 1
            found[case.cell] = verdict in track.CHANGED
            if adjacent or not found[case.cell]:
                records.add_settled(connection, compared, case.cell, verdict, interval)
            records.add_pairs(connection, compared, case.cell, pairs.pairs[case.cell])
    return found


def _unjudged(case: Case) -> Judged:
    """The series of a case, rising whichever way it goes, to be judged by what is suspected.

    Surely more than a quarter of it is a change, surely less than three quarters none; of C builds, more than
    two layouts differ by.
    """
    sign = math.copysign(1.0, case.log)

    def difference(pairs: Sequence[Pair]) -> float:
        (pair,) = pairs
        return sign * math.log(pair.head / pair.base)

    delta = max(abs(case.log) / 4, case.least)
    margins = Margins(math.expm1(delta), math.expm1(max(3 * abs(case.log) / 4, 1.2 * delta)))
    return Judged(Series(case.cell.name, (case.cell,), difference), margins, judge([], margins))


def _as_it_is(case: Case, judged: Judged) -> tuple[Verdict, Interval]:
    """The verdict and the interval of head over base, FAIL slower; what moves the other way is no change."""
    interval = judged.judgement.interval
    assert interval is not None, "a verdict was reached"
    verdict = judged.verdict
    if verdict is Verdict.IMPROVED:
        verdict = Verdict.PASS
    if case.log < 0:
        interval = replace(interval, ratio=1 / interval.ratio, low=1 / interval.high, high=1 / interval.low)
        verdict = Verdict.IMPROVED if verdict is Verdict.FAIL else verdict
    return verdict, interval
