"""Files that other tools read, made from a gate's report: one small module a format.

Each module has `text(report, results) -> str`: the report's rows, and head's results for a format that keeps
raw values.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, NamedTuple, Protocol, cast

from qcaps.errors import unknown

if TYPE_CHECKING:
    from qcaps.measure.results.results_file import Results
    from qcaps.report.verdicts import GateReport


class Export(NamedTuple):
    """A format: its name on the command line, its module, and what its file is called."""

    name: str
    module: str
    file: str


class ExportModule(Protocol):
    """What the module behind a format offers."""

    def text(self, report: GateReport, results: Results) -> str:
        """The whole file."""


EXPORTS = (
    Export("pytest-benchmark", "qcaps.report.exports.pytest_benchmark", "pytest-benchmark.json"),
    Export("github", "qcaps.report.exports.github", "github-action-benchmark.json"),
    Export("bencher", "qcaps.report.exports.bencher", "bencher.json"),
    Export("junit", "qcaps.report.exports.junit", "junit.xml"),
    Export("markdown", "qcaps.report.exports.markdown", "gate.md"),
    Export("csv", "qcaps.report.exports.comma_separated", "gate.csv"),
)


def by_name(name: str) -> Export:
    """The format called `name`. Raises UsageError."""
    for export in EXPORTS:
        if export.name == name:
            return export
    raise unknown("export", name, (export.name for export in EXPORTS))


def text(export: Export, report: GateReport, results: Results) -> str:
    """The contents of the format's file."""
    return cast("ExportModule", importlib.import_module(export.module)).text(report, results)
