"""JUnit XML: a regression is a failure, what could not be decided is skipped; numbers are properties."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET  # written here, never read

from qcaps.report.verdicts import texts

if TYPE_CHECKING:
    from qcaps.measure.results.results_file import Results
    from qcaps.report.verdicts import GateReport, VerdictRow

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
    ET.indent(suite)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(suite, encoding="unicode") + "\n"


def _counts(report: GateReport) -> ET.Element:
    case = ET.Element("testcase", classname="qcaps.gate", name="counts")
    if report.faults:
        failure = ET.SubElement(case, "failure", message=report.faults[0])
        failure.text = "\n".join(report.faults)
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
    properties = ET.Element("properties")
    for name in ("verdict", "ratio", "low", "high", "delta", "margin", "rule", "pairs", "lookups", "forks"):
        if (value := getattr(row, name)) is not None:
            ET.SubElement(properties, "property", name=name, value=str(value))
    case.insert(0, properties)
    return case


def _skipped(name: str, why: str) -> ET.Element:
    case = ET.Element("testcase", classname="qcaps.gate", name=name)
    ET.SubElement(case, "skipped", message=why)
    return case
