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
    """The rows, by the names of their fields."""
    del results
    out = io.StringIO()
    writer = csv.DictWriter(out, [one.name for one in fields(VerdictRow)], lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: cell(value) for name, value in asdict(row).items()} for row in report.rows)
    return out.getvalue()
