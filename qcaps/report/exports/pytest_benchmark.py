"""The JSON that `pytest-benchmark compare` opens: each block of head a round of one iteration."""

from __future__ import annotations

import json
import platform
import statistics
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import qcaps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qcaps.measure.results.results_file import Measured, Results
    from qcaps.report.verdicts import GateReport

_VERSION = "5.0.0"


def text(report: GateReport, results: Results) -> str:
    """All of head's block values, with the statistics pytest-benchmark shows of them."""
    now = datetime.now(UTC).isoformat()
    return (
        json.dumps(
            {
                "machine_info": {"node": platform.node(), "python_version": platform.python_version()},
                "commit_info": {"id": report.head, "time": now, "project": "qcaps", "dirty": False},
                "benchmarks": [_benchmark(one) for one in results.measured],
                "datetime": now,
                "version": _VERSION,
            },
            indent=2,
        )
        + "\n"
    )


def _benchmark(one: Measured) -> dict[str, Any]:
    values = [value for run in one.runs for value in run.block_values]
    return {
        "group": one.cell.comparison.name,
        "name": one.cell.name,
        "fullname": f"qcaps::{one.cell.name}",
        "params": {key: str(value) for key, value in one.cell.to_plain().items()},
        "param": one.cell.policy,
        "extra_info": {
            "lookups": one.counts.lookups,
            "forks": one.counts.forks,
            "devices": one.counts.devices,
            "qcaps": qcaps.__version__,
        },
        "options": {"timer": "perf_counter", "min_rounds": len(values), "warmup": True},
        "stats": _stats(values),
    }


def _stats(values: Sequence[float]) -> dict[str, Any]:
    ordered = sorted(values)
    if len(ordered) > 1:
        first, middle, third = statistics.quantiles(ordered, n=4, method="inclusive")
        deviation = statistics.stdev(ordered)
    else:
        first = middle = third = ordered[0]
        deviation = 0.0
    mean, spread = statistics.fmean(ordered), third - first
    low, high = first - 1.5 * spread, third + 1.5 * spread
    mild = sum(abs(one - mean) > deviation for one in ordered)
    severe = sum(not low <= one <= high for one in ordered)
    return {
        "min": ordered[0],
        "max": ordered[-1],
        "mean": mean,
        "stddev": deviation,
        "rounds": len(ordered),
        "median": middle,
        "iqr": spread,
        "q1": first,
        "q3": third,
        "iqr_outliers": severe,
        "stddev_outliers": mild,
        "outliers": f"{mild};{severe}",
        "ld15iqr": next(one for one in ordered if one >= low),
        "hd15iqr": next((one for one in ordered if one > high), ordered[-1]),
        "ops": 1 / mean,
        "total": sum(ordered),
        "iterations": 1,
        "data": list(values),
    }
