"""Bencher Metric Format: {benchmark: {"latency": {value, lower_value, upper_value}}}, in nanoseconds."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qcaps.measure.results.results_file import Results
    from qcaps.report.verdicts import GateReport, VerdictRow

_NANO = 1e9


def text(report: GateReport, results: Results) -> str:
    """The time of head, its bounds those of the ratio on the time of base."""
    del results
    found = {row.name: measures for row in report.rows if (measures := _measures(row))}
    return json.dumps(found, indent=2) + "\n"


def _measures(row: VerdictRow) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    if row.head_seconds is not None:
        found["latency"] = {"value": row.head_seconds * _NANO}
        if row.low is not None and row.high is not None and row.base_seconds is not None:
            found["latency"]["lower_value"] = min(row.low * row.base_seconds, row.head_seconds) * _NANO
            found["latency"]["upper_value"] = max(row.high * row.base_seconds, row.head_seconds) * _NANO
    for name, count in (("lookups", row.lookups), ("forks", row.forks)):
        if count is not None:
            found[name] = {"value": count}
    return found
