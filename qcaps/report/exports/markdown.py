"""A table for a pull request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcaps.report.verdicts import markdown

if TYPE_CHECKING:
    from qcaps.measure.results.results_file import Results
    from qcaps.report.verdicts import GateReport


def text(report: GateReport, results: Results) -> str:
    """The report's own Markdown."""
    del results
    return markdown(report)
