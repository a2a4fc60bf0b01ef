"""A run's results as the rows that exports are made of: each policy beside the baseline it was timed with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcaps.measure.cell import baseline_of
from qcaps.report.summary import median_seconds, ratio_of
from qcaps.report.verdicts import GateReport, VerdictRow

if TYPE_CHECKING:
    from qcaps.measure.results.results_file import Measured, Results

TIMED = "TIMED"
"""In the place of a verdict: a run judges nothing."""


def of_results(results: Results, baseline: str) -> GateReport:
    """A row for each benchmark; its ratio is its own time over the baseline's, None for the baseline."""
    rows = [
        _row(arm, arms.get(baseline_of(comparison.subject, baseline)))
        for comparison, arms in results.by_comparison().items()
        for arm in arms.values()
    ]
    return GateReport(f"policy {baseline}", "each policy", tuple(rows))


def _row(arm: Measured, base: Measured | None) -> VerdictRow:
    found = ratio_of(arm, base) if base is not None and base is not arm else None
    return VerdictRow(
        name=arm.cell.name,
        verdict=TIMED,
        ratio=found.ratio if found else None,
        low=found.low if found else None,
        high=found.high if found else None,
        pairs=found.pairs if found else 0,
        detectable=None,
        delta=0.0,
        margin=0.0,
        rule="",
        base_seconds=median_seconds(base) if base is not None else None,
        head_seconds=median_seconds(arm),
        lookups=arm.counts.lookups,
        forks=arm.counts.forks,
    )
