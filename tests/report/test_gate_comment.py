"""The gate's Markdown, as a pull request shows it: what counts, and what could have been seen."""

from __future__ import annotations

from qcaps.measure.cell import Cell
from qcaps.measure.gate.counting import CountFault
from qcaps.measure.gate.decision import GateOutcome
from qcaps.measure.subject import Counts
from qcaps.report import verdicts
from qcaps.report.verdicts import GateReport, VerdictRow

CELL = Cell("disks", 8, "define", "ctime", "stock", "libvirt")


def counted(base: int, head: int) -> GateOutcome:
    outcome = GateOutcome()
    outcome.counts[CELL] = (Counts(26, base, base, 0, 0), Counts(26, head, head, 0, 0))
    outcome.laws[CELL] = (28, 28)
    return outcome


def test_fewer_lookups_are_improved_and_the_table_is_there() -> None:
    outcome = counted(28, 2)
    outcome.better.append(CountFault(CELL, "lookups", 28, 2, "base"))
    report = verdicts.from_outcome(outcome, "first", "shared | <b>")
    assert report.headline == "IMPROVED: 1 counts are lower; nothing was timed"
    lines = verdicts.markdown(report).splitlines()
    assert "| benchmark | D in base | in head | lookups in base | by law | in head | by law |" in lines
    assert "| libvirt disks/8 define ctime stock | 26 | 26 | 28 | 28 | 2 | 28 |" in lines
    assert "<b>" not in verdicts.markdown(report)


def row(name: str, detectable: float | None) -> VerdictRow:
    return VerdictRow(name, "PASS", 1.0, 0.99, 1.01, 8, detectable, 0.01, 0.03, "rule")


def test_the_smallest_slowdown_that_would_have_been_seen() -> None:
    report = GateReport("a", "b", (row("one", 0.021), row("two", 0.053), row("three", None)))
    text = verdicts.markdown(report)
    assert "* smallest detectable slowdown: 2.1 % (one) to 5.3 % (two)" in text
    alone = verdicts.markdown(GateReport("a", "b", (row("one", 0.021),)))
    assert "* smallest detectable slowdown: 2.1 % (one)\n" in alone
    assert "detectable slowdown" not in verdicts.markdown(GateReport("a", "b", (row("one", None),)))


def test_counts_that_are_alike_take_no_room_beside_times() -> None:
    report = verdicts.from_outcome(counted(28, 28), "a", "b")
    assert "D in base" in verdicts.markdown(report)
    timed = GateReport("a", "b", (row("one", 0.02),), report.counts)
    assert "D in base" not in verdicts.markdown(timed)
