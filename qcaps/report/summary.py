"""What the results say: how many times as fast as the baseline each policy is, and what it counted."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from qcaps.measure.cell import BASELINE, baseline_of
from qcaps.measure.results.results_file import CUT_SHORT, Results
from qcaps.measure.statistics import Ratio, paired_ratio

if TYPE_CHECKING:
    from qcaps.measure.cell import Cell
    from qcaps.measure.results.results_file import Measured


@dataclass(frozen=True)
class MeasuredSpeedup:
    """One policy against the baseline on one comparison.

    `ratio` is the baseline's time over the policy's, so 4 means a quarter of the time; `low` and `high` hold
    it with 95 % confidence. `devices` are those of the result, `n` the scenario's. Counts are those of one
    run of the task, by policy. `seconds` is the median block value, by policy.
    """

    subject: str
    scenario: str
    n: int
    devices: int
    task: str
    validity: str
    baseline: str
    policy: str
    ratio: float
    low: float
    high: float
    lookups: dict[str, int]
    forks: dict[str, int]
    seconds: dict[str, float]
    pairs: int


def speedups(results: Results, baseline: str = BASELINE) -> tuple[MeasuredSpeedup, ...]:
    """Each policy against `baseline` (a libvirt's against stock), wherever both were measured together."""
    found = []
    for comparison, arms in results.by_comparison().items():
        base = arms.get(baseline_of(comparison.subject, baseline))
        for arm in arms.values():
            if base is None or arm is base:
                continue
            ratio = ratio_of(base, arm)
            if ratio is not None:
                found.append(_speedup(comparison, base, arm, ratio))
    return tuple(found)


def ratio_of(numerator: Measured, denominator: Measured) -> Ratio | None:
    """The ratio of two arms of one comparison, over blocks of the same round of the same worker."""
    pairs = [pair for run in numerator.runs for pair in _paired(run.worker, numerator, denominator)]
    return paired_ratio([one for one, _ in pairs], [other for _, other in pairs]) if pairs else None


def cut_short(arm: Measured) -> str:
    """What killed a worker of the arm, so that its series is shorter than planned; "" if nothing did."""
    return next((str(run.facts[CUT_SHORT]) for run in arm.runs if CUT_SHORT in run.facts), "")


def paired_differences(numerator: Measured, denominator: Measured) -> list[float]:
    """ln(numerator / denominator) of each such pair of blocks."""
    pairs = [pair for run in numerator.runs for pair in _paired(run.worker, numerator, denominator)]
    return [math.log(one / other) for one, other in pairs]


def median_seconds(arm: Measured) -> float:
    """The median of all block values of an arm."""
    values = sorted(value for run in arm.runs for value in run.block_values)
    return (values[(len(values) - 1) // 2] + values[len(values) // 2]) / 2


def slowest_first(results: Results, baseline: str = BASELINE) -> Results:
    """The same, the comparison whose baseline takes longest first."""

    def seconds(arms: dict[str, Measured], comparison: Cell) -> float:
        base = arms.get(baseline_of(comparison.subject, baseline))
        return median_seconds(base) if base is not None else 0.0

    groups = sorted(results.by_comparison().items(), key=lambda one: -seconds(one[1], one[0]))
    return Results(tuple(one for _, arms in groups for one in arms.values()))


def to_json(found: tuple[MeasuredSpeedup, ...]) -> dict[str, Any]:
    """What `summary.json` holds."""
    return {
        "speedups": [
            {name: value for name, value in asdict(one).items() if name not in _NOT_IN_SUMMARY}
            for one in found
        ]
    }


_NOT_IN_SUMMARY = ("seconds", "pairs")


def _speedup(comparison: Cell, base: Measured, arm: Measured, ratio: Ratio) -> MeasuredSpeedup:
    both = {one.cell.policy: one for one in (base, arm)}
    return MeasuredSpeedup(
        subject=comparison.subject,
        scenario=comparison.scenario,
        n=comparison.n,
        devices=arm.counts.devices,
        task=comparison.task,
        validity=comparison.validity,
        baseline=base.cell.policy,
        policy=arm.cell.policy,
        ratio=ratio.ratio,
        low=ratio.low,
        high=ratio.high,
        lookups={policy: one.counts.lookups for policy, one in both.items()},
        forks={policy: one.counts.forks for policy, one in both.items()},
        seconds={policy: median_seconds(one) for policy, one in both.items()},
        pairs=ratio.pairs,
    )


def _paired(worker: int, *arms: Measured) -> list[tuple[float, float]]:
    one, other = (next((run.block_values for run in arm.runs if run.worker == worker), ()) for arm in arms)
    return list(zip(one, other, strict=False))
