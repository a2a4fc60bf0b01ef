"""For github-action-benchmark, tool `customSmallerIsBetter`: [{name, unit, value, range, extra}]."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from qcaps.report.verdicts import texts

if TYPE_CHECKING:
    from qcaps.measure.results.results_file import Results
    from qcaps.report.verdicts import GateReport

_MICRO = 1e6


def text(report: GateReport, results: Results) -> str:
    """Head's time in microseconds, and lookups as a benchmark of their own."""
    del results
    entries: list[dict[str, str | float]] = []
    for row in report.rows:
        if row.head_seconds is not None:
            _, verdict, change, interval, *_ = texts(row)
            entries.append(
                {
                    "name": row.name,
                    "unit": "us",
                    "value": round(row.head_seconds * _MICRO, 3),
                    "range": interval,
                    "extra": f"{verdict} {change}".strip(),
                }
            )
        if row.lookups is not None:
            entries.append({"name": f"{row.name} lookups", "unit": "lookups", "value": row.lookups})
    return json.dumps(entries, indent=2) + "\n"
