"""JUnit XML by the schema of Jenkins: a regression is a failure, what could not be decided is skipped.

The schema has no properties of a case, so numbers are lines of its output.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET  # written here, never read

from qcaps.errors import visible
from qcaps.report.verdicts import texts

if TYPE_CHECKING:
    from qcaps.measure.results.results_file import Results
    from qcaps.report.verdicts import GateReport, VerdictRow

_NUMBERS = ("verdict", "ratio", "low", "high", "delta", "margin", "rule", "pairs", "lookups", "forks")
_SKIPPED = ("INCONCLUSIVE", "APART")


def text(report: GateReport, results: Results) -> str:
    """One case for all counts, one a series, one for the host where it is too noisy."""
    del results
    cases = [_counts(report), *(_case(row) for row in report.rows)]
    if report.noisy:
        cases.append(_skipped("host", f"NOISY HOST: {report.noisy}"))
    suite = ET.Element(
        "testsuite",
        name="qcaps gate",
        tests=str(len(cases)),
        failures=str(sum(case.find("failure") is not None for case in cases)),
        skipped=str(sum(case.find("skipped") is not None for case in cases)),
        errors="0",
    )
    suite.extend(cases)
    for element in suite.iter():
        element.text = visible(element.text) if element.text else element.text
        for name, value in element.items():
            element.set(name, visible(value))
    ET.indent(suite)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(suite, encoding="unicode") + "\n"


def _counts(report: GateReport) -> ET.Element:
    case = ET.Element("testcase", classname="qcaps.gate", name="counts")
    if worse := (*report.faults, *report.newly_refused):
        failure = ET.SubElement(case, "failure", message=worse[0])
        failure.text = "\n".join(worse)
    return case


def _case(row: VerdictRow) -> ET.Element:
    _, verdict, change, interval, *_ = texts(row)
    if verdict in _SKIPPED:
        case = _skipped(row.name, f"{verdict}: {change} ({interval})")
    else:
        case = ET.Element("testcase", classname="qcaps.gate", name=row.name)
        if verdict == "FAIL":
            ET.SubElement(case, "failure", message=f"{change} ({interval})")
    if row.head_seconds is not None:
        case.set("time", f"{row.head_seconds:.9f}")
    ET.SubElement(case, "system-out").text = "\n".join(
        f"{name}={value}" for name in _NUMBERS if (value := getattr(row, name)) is not None
    )
    return case


def _skipped(name: str, why: str) -> ET.Element:
    case = ET.Element("testcase", classname="qcaps.gate", name=name)
    ET.SubElement(case, "skipped", message=why)
    return case
