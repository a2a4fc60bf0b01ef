"""Names that mean something to the output they go to: each is shown as it is, in every output."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from lxml import etree

from qcaps.commands import main, terminal
from qcaps.measure.cell import Cell
from qcaps.measure.results import results_file
from qcaps.measure.results.results_file import Results
from qcaps.report import actions, exports, page, sources, table, verdicts
from qcaps.report.verdicts import GateReport, VerdictRow
from tests.support.reporting import measured

if TYPE_CHECKING:
    from pathlib import Path

NAME = "=1[/red]\x1b[31m$\\frac{|<script>alert(1)</script>`*x*\u202e"
HOSTILE = f"{NAME}\r\n::error::"
SPELT = "\\x1b"


def row(name: str = HOSTILE, verdict: str = "FAIL") -> VerdictRow:
    return VerdictRow(name, verdict, 1.1, 1.05, 1.15, 20, 0.02, 0.01, 0.03, "rule", 1e-4, 1.1e-4, 12, 3)


REPORT = GateReport(
    HOSTILE,
    HOSTILE,
    (row(), row(verdict="INCONCLUSIVE"), row("plain", "PASS")),
    faults=(f"{HOSTILE}: 3 lookups, not 2",),
    noisy=HOSTILE,
    notes=(HOSTILE,),
)
CELLS = tuple(Cell(NAME, n, policy=policy) for n in (1, 4, 16, 64) for policy in ("naive", "once"))
RESULTS = Results(tuple(measured(cell) for cell in CELLS))


def exported(name: str) -> str:
    return exports.text(exports.by_name(name), REPORT, RESULTS)


def test_every_export_shows_no_control_character() -> None:
    for export in exports.EXPORTS:
        text = exported(export.name)
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", text), export.name


@pytest.mark.parametrize("name", ["pytest-benchmark", "github", "bencher"])
def test_json_keeps_the_name(name: str) -> None:
    assert HOSTILE in json.dumps(json.loads(exported(name)), ensure_ascii=False).encode().decode(
        "unicode_escape", errors="replace"
    ) or json.dumps(HOSTILE)[1:-1] in exported(name)


def test_no_cell_of_a_csv_is_a_formula() -> None:
    for line in csv.reader(io.StringIO(exported("csv"))):
        assert not line[0].startswith(("=", "+", "-", "@"))
    assert [line[0] for line in csv.reader(io.StringIO(exported("csv")))][-1] == "plain"


def test_markdown_is_one_table_without_html() -> None:
    for text in (exported("markdown"), table.markdown(RESULTS)):
        assert "<script" not in text
        rows = [line for line in text.splitlines() if line.startswith("|")]
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in rows}) == 1
        assert "\\$\\\\frac" in text
        assert "\\`\\*x\\*" in text


_CASE = {"skipped", "error", "failure", "system-out", "system-err"}
_SUITE = {"testsuite", "properties", "testcase", "system-out", "system-err"}
_ATTRIBUTES = {
    "testsuite": ({"name", "tests", "failures", "errors"}, {"skipped", "time", "hostname", "timestamp"}),
    "testcase": ({"name"}, {"time", "classname", "group"}),
    **dict.fromkeys(("skipped", "error", "failure"), (set(), {"type", "message"})),
    **dict.fromkeys(("system-out", "system-err"), (set(), set())),
}


def test_junit_holds_to_the_schema_of_jenkins() -> None:
    """What its junit-10.xsd allows: which elements below which, which attributes, and no text between."""
    root = etree.fromstring(exported("junit").encode())
    assert root.tag == "testsuite"
    for element in root.iter():
        needed, allowed = _ATTRIBUTES[element.tag]
        assert needed <= set(element.keys()) <= needed | allowed, element.tag
        below = {child.tag for child in element}
        assert below <= {"testsuite": _SUITE, "testcase": _CASE}.get(element.tag, set()), element.tag
        if element.tag.startswith("test"):
            assert not (element.text or "").strip()
    names = [case.get("name", "") for case in root.iter("testcase")]
    assert len(names) == 5
    assert SPELT in names[1]
    said = root[1].find("system-out")
    assert said is not None
    assert "verdict=FAIL\nratio=1.1\n" in str(said.text)


def test_bounds_for_bencher_hold_their_value() -> None:
    one = row("slower than its bounds")
    apart = replace(one, head_seconds=1e-4 * 1.7, low=1.01, high=1.02)
    for found in (one, apart, replace(apart, head_seconds=1e-5)):
        report = GateReport("a", "b", (found,))
        latency = json.loads(exports.text(exports.by_name("bencher"), report, RESULTS))[found.name]["latency"]
        assert latency["lower_value"] <= latency["value"] <= latency["upper_value"]


def test_annotations_are_one_line_each_and_of_our_making(tmp_path: Path) -> None:
    summary = tmp_path / "summary.md"
    lines = actions.annotate(REPORT, {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary)})
    assert len(lines) == 4
    for line in lines:
        assert line.startswith(("::error title=qcaps gate", "::warning title=qcaps gate"))
        assert not re.search(r"[\r\n\x1b]", line)
    assert "<script" not in summary.read_text()


def test_a_terminal_is_told_no_names(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    terminal.console().print(verdicts.table(REPORT))
    terminal.console().print(table.table(RESULTS))
    terminal.say(HOSTILE)
    results_file.write(tmp_path / "results.json", RESULTS)
    assert main(["compare", *[str(tmp_path / "results.json")] * 2]) == 0
    assert main(["gate", *[str(tmp_path / "results.json")] * 2, "-o", str(tmp_path / "gate")]) in (0, 3)
    said = capsys.readouterr()
    assert "\x1b" not in said.out + said.err
    assert "\u202e" not in said.out + said.err
    assert "[/red]" in said.out
    assert SPELT in said.out


def test_progress_takes_no_markup(monkeypatch: pytest.MonkeyPatch) -> None:
    class Screen(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stderr", Screen())
    with terminal.progress_bar() as bar:
        bar(1, 2, HOSTILE)
    assert "[/red]" in sys.stderr.getvalue()


def test_a_report_has_all_its_sections_and_no_foreign_markup(tmp_path: Path) -> None:
    plain = Results(tuple(measured(replace(one.cell, scenario="plain")) for one in RESULTS.measured))
    (tmp_path / "plain").mkdir()
    (tmp_path / "hostile").mkdir()
    expected = page.build(sources.from_results(plain), tmp_path / "plain")
    found = page.build(sources.from_results(RESULTS), tmp_path / "hostile")
    assert found.shown == expected.shown
    assert [one.name for one in found.missing] == [one.name for one in expected.missing]
    assert not [one for one in found.missing if one.failed]
    html = (tmp_path / "hostile" / "report.html").read_text()
    assert "<script>alert" not in html
    assert "\x1b" not in html
    for path in found.files:
        if path.suffix == ".svg":
            etree.parse(path)
    assert "<script" not in (tmp_path / "hostile" / "summary.md").read_text()


# ── streams ────────────────────────────────────────────────────────────────────────────────────────

GUEST = (
    "<domain type='qemu'><name>\u00e9\U0001f600</name><memory>262144</memory>"
    "<os><type arch='x86_64' machine='q35'>hvm</type></os></domain>"
)


def asked(
    *command: str, streams: str = "", environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["/bin/sh", "-c", f'exec "$@" {streams}', "sh", sys.executable, "-m", "qcaps", *command],
        capture_output=True,
        check=False,
        env=os.environ | (environment or {}),
    )


def test_a_closed_output_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "guest.xml").write_text(GUEST)
    done = asked("define", str(tmp_path / "guest.xml"), "-q", streams=">&-")
    assert done.returncode == 1
    assert done.stderr == b"qcaps: error: standard output: Bad file descriptor\n"
    done = asked("define", str(tmp_path / "guest.xml"), streams="2>&- <&-")
    assert done.returncode == 0
    assert b"</domain>" in done.stdout


@pytest.mark.parametrize("command", ["define", "explain", "start"])
def test_other_letters_need_no_locale(command: str, tmp_path: Path) -> None:
    file = tmp_path / "\u00e9.xml"
    file.write_text(GUEST)
    done = asked(command, str(file), environment={"LC_ALL": "C", "PYTHONUTF8": "0"})
    assert b"Traceback" not in done.stderr
    assert done.returncode == 0, done.stderr
    if command == "define":
        assert etree.fromstring(done.stdout).findtext("name") == "\u00e9\U0001f600"
