"""A gate's tables, at the width of a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console

from qcaps.report import verdicts
from qcaps.report.verdicts import CountRow, GateReport, VerdictRow

if TYPE_CHECKING:
    import pytest

ROW = VerdictRow(
    name="libvirt disks-with-a-long-name#0123abcd/128 define+undefine ctime stock",
    verdict="INCONCLUSIVE", ratio=1.0123, low=0.9512, high=1.1034, pairs=128, detectable=0.0543,
    delta=0.01, margin=0.03, rule="", base_seconds=0.0123, head_seconds=0.0125, lookups=268,
)  # fmt: skip
COUNTED = CountRow(ROW.name, 266, 267, 268, 269, 268, 269)


def test_eighty_columns_keep_every_digit(capsys: pytest.CaptureFixture[str]) -> None:
    report = GateReport("a", "b", (ROW,), (COUNTED,))
    Console(width=80).print(verdicts.table(report, 80))
    Console(width=80).print(verdicts.counts_table(report))
    said = capsys.readouterr().out
    assert "…" not in said
    assert all(len(line) <= 80 for line in said.splitlines())
    for number in ("+1.2 %", "-4.9 % to +10.3 %", "1, 3 %", "12.3 ms", "12.5 ms", "128", "268", "269", "267"):
        assert number in said


def test_counts_are_shown_where_they_differ_or_nothing_was_timed() -> None:
    alike = CountRow("one", 10, 10, 12, 12, 12, 12)
    assert verdicts.counts_table(GateReport("a", "b", (ROW,), (alike,))) is None
    shown = verdicts.counts_table(GateReport("a", "b", (), (alike,)))
    assert shown is not None
    assert len(shown.plain.splitlines()) == 2
    differing = verdicts.counts_table(GateReport("a", "b", (ROW,), (alike, COUNTED)))
    assert differing is not None
    assert len(differing.plain.splitlines()) == 2
