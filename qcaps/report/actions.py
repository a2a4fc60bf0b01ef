"""GitHub Actions: the step summary and annotations, written wherever the runner asks for them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from qcaps.errors import visible
from qcaps.report.verdicts import markdown, texts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from qcaps.report.verdicts import GateReport


def annotate(report: GateReport, environment: Mapping[str, str] = os.environ) -> list[str]:
    """Append to the step summary and return the lines that make annotations; nothing outside of Actions."""
    if environment.get("GITHUB_ACTIONS") != "true":
        return []
    if summary := environment.get("GITHUB_STEP_SUMMARY"):
        with Path(summary).open("a", encoding="utf-8") as file:
            file.write(markdown(report))
    return list(_annotations(report))


def _annotations(report: GateReport) -> Iterator[str]:
    for fault in (*report.faults, *report.newly_refused):
        yield _line("error", "qcaps gate: count", fault)
    if report.noisy:
        yield _line("warning", "qcaps gate: noisy host", report.noisy)
    for row in report.rows:
        _, verdict, change, interval, *_ = texts(row)
        if verdict == "FAIL":
            yield _line("error", f"qcaps gate: {row.name}", f"{change} ({interval})")
        elif verdict == "INCONCLUSIVE":
            yield _line("warning", f"qcaps gate: {row.name}", f"{verdict} {change} ({interval})")


def _line(kind: str, title: str, message: str) -> str:
    return f"::{kind} title={_escape(title, ':,')}::{_escape(message)}"


def _escape(text: str, more: str = "") -> str:
    """As workflow commands want it: percent first, then line ends, and in properties colons and commas."""
    text = visible(text.replace("\r\n", "\n"))
    for character in "%\n" + more:
        text = text.replace(character, f"%{ord(character):02X}")
    return text
