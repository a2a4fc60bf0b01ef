"""A table for a pull request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcaps.report.verdicts import markdown

if TYPE_CHECKING:
    from qcaps.measure.results.file import Results
    from qcaps.report.verdicts import Report


def text(report: Report, results: Results) -> str:
    """The report's own Markdown."""
    del results
    return markdown(report)
