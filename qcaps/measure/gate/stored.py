"""A gate on two results files: counts exactly, times only as far as a stored baseline can carry.

Files of one `qcaps gate` hold pairs, and are judged as it judged them. Others were measured at different
times, and a machine's level drifts: by 3.7 % (standard deviation, measured on a shared virtual machine
between repetitions) or by what `qcaps calibrate` found here. That drift is in both files and no number of
blocks removes it, so the bounds are that much wider and a change below them never fails.
"""

from __future__ import annotations

import math
from statistics import NormalDist, median, stdev
from typing import TYPE_CHECKING

from qcaps.errors import QcapsError, UsageError
from qcaps.measure.gate import counting
from qcaps.measure.gate.arms import MismatchError
from qcaps.measure.gate.decision import GateOutcome, Judged, judge_all
from qcaps.measure.gate.pair_store import PairStore, paired
from qcaps.measure.gate.series import point
from qcaps.measure.gate.verdict import ALPHA, Interval, Judgement, Margins, Verdict
from qcaps.measure.results import results_file

if TYPE_CHECKING:
    from pathlib import Path

    from qcaps.measure.gate.margins import MarginTable
    from qcaps.measure.results.results_file import Measured, Results

DRIFT = 0.037
_SAME = ("hostname", "cpu_model_name", "platform", "python_version")
_SESSION = "gate_session"


def compare_files(base_file: Path, head_file: Path, table: MarginTable, drift: float = DRIFT) -> GateOutcome:
    """The verdicts on two files. Raises UsageError for a bad one, MismatchError if they do not match."""
    base, head = read(base_file), read(head_file)
    bases = {one.cell: one for one in base.measured}
    both = [(bases[one.cell], one) for one in head.measured if one.cell in bases]
    if not both:
        raise MismatchError(
            f"{base_file} and {head_file} have no benchmark in common: measure the same suite"
        )
    outcome = GateOutcome(finished=True)
    _note_missing(outcome, base, head, len(both))
    for one, other in both:
        outcome.counts[one.cell] = (one.counts, other.counts)
        outcome.faults += counting.faults(one.cell, one.counts, other.counts)
    if outcome.faults:
        return outcome
    if _measured_together(base, head):
        outcome.judged = judge_all(outcome, table, PairStore(None, pairs=paired(base, head)))
        return outcome
    _check_machine(base_file, head_file, both[0])
    outcome.judged = [_judged(one, other, table, drift) for one, other in both]
    outcome.notes.append(
        f"measured at different times: this machine's level drifts by {100 * drift:.1f} %, so no change below"
        f" about {100 * math.expm1(_reach(drift)):.0f} % can be told from drift"
    )
    return outcome


def judge_apart(base: Measured, head: Measured, delta: float, drift: float) -> tuple[Verdict, Interval]:
    """The verdict on one benchmark whose sides were measured at different times."""
    one, other = _logs(base), _logs(head)
    middle = median(other) - median(one)
    scatter = math.sqrt(_variance(one) + _variance(other))
    half = _reach(math.hypot(drift, scatter / math.sqrt(2)))
    low, high = middle - half, middle + half
    reach = half * (1 + NormalDist().inv_cdf(0.9) / NormalDist().inv_cdf(1 - ALPHA))
    found = Interval(
        math.exp(middle),
        math.exp(low),
        math.exp(high),
        min(len(one), len(other)),
        math.expm1(math.log1p(delta) + reach),
    )
    if low > math.log1p(delta):
        return Verdict.FAIL, found
    if high < math.log1p(-delta):
        return Verdict.IMPROVED, found
    return Verdict.INCONCLUSIVE, found


def _judged(base: Measured, head: Measured, table: MarginTable, drift: float) -> Judged:
    margins: Margins = table.of(base.cell.name)
    verdict, found = judge_apart(base, head, margins.delta, drift)
    if verdict is Verdict.INCONCLUSIVE and found.high < 1 + margins.margin:
        verdict = Verdict.PASS
    return Judged(
        point(base.cell),
        margins,
        Judgement(verdict, found.pairs, found),
        math.exp(median(_logs(base))),
        math.exp(median(_logs(head))),
    )


def _reach(deviation: float) -> float:
    """How far a difference of two levels, each this uncertain, must be for its bound to leave zero."""
    return -NormalDist().inv_cdf(ALPHA) * math.sqrt(2) * deviation


def _logs(one: Measured) -> list[float]:
    return [math.log(value) for run in one.runs for value in run.block_values]


def _variance(logs: list[float]) -> float:
    """Of the median, about: that of the mean times pi / 2."""
    return math.pi / 2 * stdev(logs) ** 2 / len(logs) if len(logs) > 1 else 0.0


def read(path: Path) -> Results:
    """The results in a file. Raises UsageError: a file that cannot be used is a wrong call, no regression."""
    try:
        return results_file.read(path)
    except QcapsError as error:
        raise UsageError(str(error)) from error


def _measured_together(base: Results, head: Results) -> bool:
    one, other = (
        {str(run.facts.get(_SESSION, "")) for one in results.measured for run in one.runs}
        for results in (base, head)
    )
    return len(one) == 1 and one == other and "" not in one


def _check_machine(base_file: Path, head_file: Path, both: tuple[Measured, Measured]) -> None:
    one, other = (side.runs[0].facts for side in both)
    for name in _SAME:
        if one.get(name) != other.get(name):
            raise MismatchError(
                f"{name} is {one.get(name)!r} in {base_file}, {other.get(name)!r} in {head_file}:"
                " counts agree, but times of two machines do not compare"
            )


def _note_missing(outcome: GateOutcome, base: Results, head: Results, both: int) -> None:
    for results, name in ((base, "base"), (head, "head")):
        if missing := len(results.measured) - both:
            outcome.notes.append(f"{missing} benchmarks are in {name} only, and were not compared")
