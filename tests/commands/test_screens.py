"""What a person sees: at 60, 80 and 120 columns, piped, without colour, in the C locale, while waiting."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shlex
import signal
import struct
import subprocess
import sys
import termios
import time
from typing import TYPE_CHECKING, Any

import pytest

from qcaps import units
from qcaps.commands import COMMANDS, command_parser, main, terminal, torn
from qcaps.content import SHIPPED
from qcaps.measure.results import results_file
from qcaps.measure.torn import torn_file
from tests.support import reporting

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from pathlib import Path

GUEST = (
    "<domain type='qemu'><name>g</name><memory>262144</memory>"
    "<os><type arch='x86_64' machine='q35'>hvm</type></os></domain>"
)
WIDTHS = (60, 80, 120)
NUMBER = re.compile(r"\d+(?:\.\d+)?(?: ?(?:µs|ms|s|%))?")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the examples of the help name: guests, results before and after, recorded truth."""
    folder = tmp_path_factory.mktemp("place")
    (folder / "guest.xml").write_text(GUEST)
    for name in ("before", "after", "qcaps-results"):
        (folder / name).mkdir()
        results_file.write(folder / name / "results.json", reporting.grown("disks", ns=(1, 64)))
    for name in ("guests", "truth/capabilities", "qcaps-gate"):
        (folder / name).mkdir(parents=True)
    for name in (
        *("truth/capabilities/qemu.cache.xml", "qcaps-gate/base.json", "qcaps-gate/head.json", "other.db"),
        *("ca.pem", "me.pem", "key.pem"),
    ):
        (folder / name).touch()
    return folder


SCREENS = {
    "compare": "compare before/results.json after/results.json",
    "gate": "gate before/results.json after/results.json -o GATE --counts-only",
    "gate times": "gate before/results.json after/results.json -o GATE",
    "scenarios": "scenarios list",
    "scenarios show": "scenarios show disks@pc -n 4",
    "explain": "explain guest.xml",
    "define": "define guest.xml",
    "start": "start guest.xml",
    "report": "report qcaps-results/results.json --section forest -o REPORT",
}
WHOLE_LINES = {"define", "start", "explain", "report"}
"""What is XML, a command, or names only: lines are as long as they are, and hold what differs each time."""
ESSENTIAL = {
    "compare": ("B / A", r"\b1\.000\b", 20),
    "gate": ("lookups in base", r"(?m)( +[\d-]+){6}$", 20),
    "gate times": ("change", r"\+0\.0 %", 20),
}
"""The heading, the cells and how many of them the narrowest terminal still shows whole."""


@pytest.mark.parametrize("name", SCREENS)
def test_narrow_screens_keep_every_digit(
    name: str, place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(place)
    shown = {}
    for columns in WIDTHS:
        monkeypatch.setenv("COLUMNS", str(columns))
        assert main(shlex.split(SCREENS[name])) in (0, 3)
        shown[columns] = capsys.readouterr().out
        assert "…" not in shown[columns]
        if name not in WHOLE_LINES:
            lines = shown[columns].splitlines()
            tables = lines if columns >= 80 else [line for line in lines if line.startswith("  ")]
            assert max(map(len, tables), default=0) <= max(columns, 80 if name.startswith("scen") else 0)
    if name in ESSENTIAL:
        heading, cell, many = ESSENTIAL[name]
        for columns in WIDTHS:
            assert heading in shown[columns]
            assert len(re.findall(cell, shown[columns])) >= many, columns
    if name not in {*WHOLE_LINES, "gate times"}:
        wide, usual = (sorted(NUMBER.findall(shown[columns])) for columns in (120, 80))
        assert wide == usual


def test_torn_at_every_width(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    found = torn_file.read(SHIPPED.find_file("reports", "reference/torn.json"))
    for columns in WIDTHS:
        monkeypatch.setenv("COLUMNS", str(columns))
        torn._print(found)
        said = capsys.readouterr().out
        assert "…" not in said
        assert max(map(len, said.splitlines())) <= columns
        for row in found.rows:
            assert row.name in said
            for count in (row.tasks, row.consistent, row.stale, row.aborted):
                assert re.search(rf"\b{count}\b", said), (columns, count)


@pytest.mark.parametrize("columns", WIDTHS)
def test_a_terminal_is_as_wide_as_the_kernel_says(columns: int, place: Path) -> None:
    said = in_terminal("compare before/results.json after/results.json", columns, place)
    assert max(map(len, said.splitlines())) <= columns
    assert len(re.findall(r"\b1\.000\b", said)) == 20


def test_a_run_in_a_narrow_terminal(tmp_path: Path) -> None:
    said = in_terminal(
        "run serials -n 1 4 --policy once --validity ctime --task define --pairs 2 --processes 1 -o out",
        60,
        tmp_path,
    )
    table = said[said.rindex("lookups") - 60 :]
    assert "…" not in table
    speedups = json.loads((tmp_path / "out" / "summary.json").read_text())["speedups"]
    for one in speedups:
        ratio = one["ratio"]
        assert f"{units.three_digits(ratio)} (2 pairs)" in said
    assert "left," in said
    assert "gone" in said


def in_terminal(command: str, columns: int, folder: Path) -> str:
    """What a terminal of so many columns is sent, its control sequences left out."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    process = subprocess.Popen(
        [sys.executable, "-m", "qcaps", *shlex.split(command)],
        stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs, cwd=folder,
        env={**environment, "TERM": "xterm"},
    )  # fmt: skip
    os.close(theirs)
    parts = []
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        parts.append(part)
    os.close(ours)
    assert process.wait(60) == 0, b"".join(parts)
    return re.sub(rb"\x1b\[[0-9;?]*[a-zA-Z]", b"", b"".join(parts)).decode()


@pytest.mark.parametrize(
    "environment", [{"NO_COLOR": "1"}, {"LC_ALL": "C", "PYTHONUTF8": "0"}, {"COLUMNS": "not a number"}]
)
def test_piped_without_colour_and_in_the_c_locale(environment: dict[str, str], place: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "qcaps", "compare", "before/results.json", "after/results.json"],
        cwd=place,
        capture_output=True,
        check=True,
        env={**os.environ, **environment},
    )
    assert b"\x1b" not in done.stdout
    assert b"1.000" in done.stdout
    assert done.stderr == b""


# ── waiting ────────────────────────────────────────────────────────────────────────────────────────


def test_a_line_every_few_seconds_where_there_is_no_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(terminal, "EVERY_SECONDS", 0.1)
    monkeypatch.setattr(terminal, "_TELLING_SECONDS", 0.0)
    with terminal.progress_bar() as bar:
        bar(1, 4, "disks/8")
        time.sleep(0.35)  # nothing is told meanwhile, and a line comes all the same
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) >= 2
    assert re.fullmatch(r"qcaps: 1 of 4 done in 1 s, about 1 s left: disks/8", lines[0])
    with terminal.progress_bar() as bar:
        bar(0, 0, "building")
        time.sleep(0.15)  # how much there is to do is not known yet
    assert capsys.readouterr().err.startswith("qcaps: at work for ")
    with terminal.progress_bar() as bar:
        bar(1, 4, "soon done")
    assert capsys.readouterr().err == ""


def test_what_takes_long_is_said_first(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.expect(29.0, "5 jobs to measure")
    assert capsys.readouterr().err == ""
    terminal.expect(600.0, "100 jobs to measure")
    assert capsys.readouterr().err == "qcaps: 100 jobs to measure: 10 min at most\n"


def test_ctrl_c_keeps_the_rounds_of_the_comparison_that_is_on(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*(sys.executable, "-m", "qcaps", "run", "serials", "-n", "4", "--task", "define"),
         *("--policy", "once", "--validity", "ctime", "--pairs", "100000", "--processes", "1", "-v")],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stderr is not None
    for line in process.stderr:
        found = re.search(r"round (\d+) of 100000", line)
        if found and int(found[1]) > 2:  # two rounds are whole
            break
    process.send_signal(signal.SIGINT)
    output, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted; 1 comparison is in" in said
    (naive, once) = results_file.read(tmp_path / "qcaps-results" / "results.json").measured
    assert len(naive.runs[0].blocks) == len(once.runs[0].blocks) >= 2
    assert naive.runs[0].facts["cut_short"] == "interrupted"
    assert "†" in output


# ── what was asked for is said ─────────────────────────────────────────────────────────────────────


def test_a_scenario_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scenarios", "show", "serials", "-n", "3"]) == 0
    said = capsys.readouterr().out
    devices, lookups = map(int, re.findall(r"(\d+) devices, (\d+) lookups a define", said)[0])
    assert lookups == devices + 2
    assert re.search(r"3 serial\b", said)
    assert "qcaps run serials -n 3" in said


def test_what_is_no_results_file_is_called_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "guest.xml").write_text(GUEST)
    assert main(["report", str(tmp_path / "guest.xml"), "-o", str(tmp_path / "out")]) == 1
    assert "no results file: it begins with '<domain'" in capsys.readouterr().err


def test_torn_offers_its_own_suites(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["torn", "quick"]) == 2
    assert "choose from torn" in capsys.readouterr().err


def test_the_doctor_lists_and_speaks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from qcaps.commands.doctor import this_machine

    for name in ("qemu-system-x86_64", "qemu-system-arm"):
        (tmp_path / name).write_text("")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert this_machine._qemu().text == f"{tmp_path.resolve()}/qemu-system-: arm, x86_64"
    counters = this_machine._perf_counters()
    assert counters.ok or counters.text.startswith(("this machine offers no", "not known how"))


def test_times_have_one_form() -> None:
    assert [units.duration(seconds) for seconds in (1.45377, 2e-3, 9.12e-6)] == [
        "1.45 s",
        "2.00 ms",
        "9.12 µs",
    ]
    assert [units.span(seconds) for seconds in (0.2, 40, 420, 9000)] == ["1 s", "40 s", "7 min", "2.5 h"]


# ── the help's examples ────────────────────────────────────────────────────────────────────────────

SHORTER = {
    "run": "--pairs 1 --processes 1 --output MEASURED",
    "profile": "-n 4 --seconds 0.1",
}
"""What makes an example short enough for a test."""
ELSEWHERE = {
    "gate": "needs two revisions or builds: tests/measure/gate",
    "torn": "takes a minute: tests/measure/torn",
    "calibrate": "takes minutes: tests/commands/test_options.py",
    "bisect": "needs a repository: tests/measure/gate",
    "history": "needs a repository: tests/history",
    "live": "needs libvirt: tests/commands/test_live.py",
    "fidelity": "needs libvirt or recorded truth: tests/measure/fidelity",
    "cache": "needs a libvirt's cache: tests/cache",
    "completion": "tests/commands/test_shell_files.py",
}
NEEDS = re.compile(r"--subject libvirt|--on tls|--spawn|qemu-system")


def parsers() -> Iterator[argparse.ArgumentParser]:
    for command in COMMANDS:
        parser = command_parser(command)
        yield parser
        for action in parser._actions:
            choices: Any = action.choices
            if isinstance(choices, dict):
                yield from choices.values()


def examples() -> Iterator[str]:
    """Each line of each example."""
    for parser in parsers():
        for line in (parser.epilog or "").splitlines():
            if "qcaps " in line:
                for part in line.partition("qcaps ")[2].split("&& qcaps "):
                    yield part.strip()


@pytest.mark.parametrize("example", sorted(set(examples())))
def test_every_example_of_the_help(
    example: str, place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(place)
    (place / "libvirt").mkdir(exist_ok=True)
    words = shlex.split(example.replace("~", str(place)))  # as a shell does
    command = next(one for one in COMMANDS if one.name == words[0])
    if NEEDS.search(example) or words[0] in ELSEWHERE:
        try:
            command_parser(command).parse_args(words[1:])
        except SystemExit as stop:
            raise AssertionError(capsys.readouterr().err) from stop
        return
    shorter = shlex.split(SHORTER.get(words[0], ""))
    status = main([*words, *shorter])
    said = capsys.readouterr()
    assert status == 0, said.err
