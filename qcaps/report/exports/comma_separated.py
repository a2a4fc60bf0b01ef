"""One line a series, under a line of headings; numbers unrounded, what is not known empty."""

from __future__ import annotations

import csv
import io
from dataclasses import asdict, fields
from typing import TYPE_CHECKING

from qcaps.report.escaping import cell
from qcaps.report.verdicts import VerdictRow

if TYPE_CHECKING:
    from qcaps.measure.results.results_file import Results
    from qcaps.report.verdicts import GateReport


def text(report: GateReport, results: Results) -> str:
    """The rows, by the names of their fields, then head's commit and when it was measured, in UTC."""
    facts = [run.facts for one in results.measured for run in one.runs]
    session = {
        "commit": next((str(one["git_commit"]) for one in facts if "git_commit" in one), ""),
        "date": max((str(one.get("date", ""))[:19] for one in facts), default=""),
    }
    out = io.StringIO()
    names = [*(one.name for one in fields(VerdictRow)), *session]
    writer = csv.DictWriter(out, names, lineterminator="\n")
    writer.writeheader()
    for row in report.rows:
        writer.writerow({name: cell(value) for name, value in {**asdict(row), **session}.items()})
    return out.getvalue()
