"""`qcaps gate` as a process: statuses, files, what it goes on with and refuses, what other tools read."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from lxml import etree as ET  # noqa: N812  # the short name everybody knows

import qcaps
from qcaps.commands import gate as command
from qcaps.commands import main
from qcaps.measure.cell import Cell
from qcaps.measure.gate import decision
from qcaps.measure.results import results_file
from qcaps.measure.results.results_file import Measured, Results, Run
from qcaps.measure.subject import Counts

if TYPE_CHECKING:
    from collections.abc import Sequence

GATE = (sys.executable, "-m", "qcaps", "gate")
HERE = Path(qcaps.__file__).resolve().parent
SUITE = """
from qcaps.measure.cell import Cell
from qcaps.measure.gate import decision
SUMMARY = "one quick task"
def cells():
    yield Cell("serials", 3, "define", "trust", "once")
"""
COUNTS = Counts(5, 1, 1, 0, 0, {"post-parse": 1})


def gate(
    folder: Path, *arguments: str | Path, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*GATE, *map(str, arguments)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "XDG_STATE_HOME": str(folder), **(environment or {})},
    )


@pytest.fixture
def content(tmp_path: Path) -> Path:
    """A folder with a suite of one quick task."""
    (tmp_path / "content" / "bench" / "suites").mkdir(parents=True)
    (tmp_path / "content" / "bench" / "suites" / "quickest.py").write_text(SUITE)
    return tmp_path / "content"


def python_with(folder: Path, file: str, old: str, new: str) -> Path:
    """An interpreter that has qcaps installed with one line changed."""
    copy = folder / "edited" / "qcaps"
    shutil.copytree(HERE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    text = (copy / file).read_text()
    assert old in text
    (copy / file).write_text(text.replace(old, new))
    script = folder / "python"
    script.write_text(f'#!/bin/sh\nPYTHONPATH={copy.parent} exec {sys.executable} "$@"\n')
    script.chmod(0o755)
    return script


def test_a_count_fails_before_any_clock_and_actions_hear_of_it(tmp_path: Path, content: Path) -> None:
    python = python_with(
        tmp_path,
        "lookups/policy.py",
        "_all(Sharing.TASK))\nONCE_ABORT",
        "_all(Sharing.ALONE))\nONCE_ABORT",
    )
    summary = tmp_path / "summary.md"
    done = gate(
        tmp_path,
        *("--base-python", sys.executable, "--head-python", python, "--suite", "quickest"),
        *("--content", content, "--export", "junit", "markdown"),
        environment={"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary)},
    )
    assert done.returncode == 1, done.stderr
    assert "lookups" in done.stdout
    assert "at 'validate device' (" in done.stdout
    assert "::error title=qcaps gate%3A count::" in done.stdout
    assert "FAIL" in summary.read_text()
    assert not list((tmp_path / "qcaps-gate").glob("*base.json"))
    suite = ET.fromstring((tmp_path / "qcaps-gate" / "junit.xml").read_bytes())
    assert suite.get("failures") == "1"
    assert suite.find("testcase/failure") is not None


def test_equal_counts_alone_are_0(tmp_path: Path, content: Path) -> None:
    done = gate(
        tmp_path,
        *("--base-python", sys.executable, "--suite", "quickest", "--content", content, "--counts-only"),
        "--json",
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["headline"] == "counts agree; nothing was timed"


@pytest.mark.slow
def test_interrupted_it_keeps_pairs_and_the_same_command_goes_on(tmp_path: Path, content: Path) -> None:
    arguments = ("--base-python", sys.executable, "--suite", "quickest", "--content", str(content))
    process = subprocess.Popen(
        [*GATE, *arguments], cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    file = tmp_path / "qcaps-gate" / "preflight-head.json"
    deadline = time.monotonic() + 30
    while not file.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "the same command goes on" in said
    kept = results_file.read(file).measured[0].runs
    assert kept
    shown = subprocess.run(
        [sys.executable, "-m", "pyperf", "compare_to", str(file).replace("head", "base"), str(file)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert shown.returncode == 0, shown.stderr
    again = gate(tmp_path, *arguments, "--counts-only")
    assert again.returncode == 0
    assert "going on with what is in qcaps-gate" in again.stderr
    assert results_file.read(file).measured[0].runs == kept


# ── two results files ──────────────────────────────────────────────────────────────────────────────────


def results(scale: float, *, counts: Counts = COUNTS, session: str = "", **facts: str | float) -> Results:
    known: dict[str, str | int | float] = {
        "hostname": "here",
        "cpu_model_name": "any",
        "platform": "p",
        "python_version": "3.11.0",
    }
    if session:
        known["gate_session"] = session
    blocks = [0.002 * scale * (1 + 0.001 * (number % 5)) for number in range(56)]
    return Results(
        (
            Measured(
                Cell("disks", 4, validity="trust", policy="once"),
                counts,
                tuple(
                    Run(number, ((one,),), (one,), {**known, **facts}) for number, one in enumerate(blocks)
                ),
            ),
        )
    )


def files(folder: Path, base: Results, head: Results) -> tuple[Path, Path]:
    results_file.write(folder / "a.json", base)
    results_file.write(folder / "b.json", head)
    return folder / "a.json", folder / "b.json"


@pytest.mark.parametrize(
    ("scale", "arguments", "status", "said"),
    [
        (1.0, (), 3, "1 APART"),
        (1.0, ("--strict",), 3, "1 APART"),
        (5.67, (), 3, "+467.0 %"),
        (0.2, (), 3, "-80.0 %"),
        (5.67, ("--counts-only",), 0, "counts agree"),
    ],
)
def test_files_measured_apart_are_shown_and_never_judged_on_time(
    tmp_path: Path, scale: float, arguments: Sequence[str], status: int, said: str
) -> None:
    before, after = results(1.0, load_avg_1min=1.7), results(scale, load_avg_1min=6.2)
    done = gate(tmp_path, *files(tmp_path, before, after), *arguments)
    assert done.returncode == status, done.stderr
    assert said in done.stdout
    if not arguments:
        lines = done.stdout.splitlines()
        load, apart = (next(i for i, line in enumerate(lines) if word in line) for word in ("load", "apart"))
        assert lines[load] == "load when it began: 1.7 for base, 6.2 for head"
        assert load < apart


def test_files_of_one_gate_are_judged_as_pairs(tmp_path: Path) -> None:
    together = (results(1.0, session="s"), results(1.05, session="s"))
    done = gate(tmp_path, *files(tmp_path, *together))
    assert (done.returncode, "apart" in done.stdout) == (1, False)
    slightly = (results(1.0, session="s"), results(1.001, session="s"))
    assert "1 PASS" in gate(tmp_path, *files(tmp_path, *slightly)).stdout


def test_counts_of_files_are_exact(tmp_path: Path) -> None:
    more = replace(COUNTS, lookups=3, sites={"post-parse": 1, "validate device": 2})
    done = gate(tmp_path, *files(tmp_path, results(1.0), results(1.0, counts=more)))
    assert done.returncode == 1
    assert "lookups 3, 1 in base: +2 at 'validate device'" in done.stdout


def test_files_that_do_not_match_are_4(tmp_path: Path) -> None:
    done = gate(tmp_path, *files(tmp_path, results(1.0), results(1.0, hostname="there")))
    assert done.returncode == 4
    assert "hostname is 'here'" in done.stderr
    assert done.stderr.count("\n") == 1
    (one,) = results(1.0).measured
    other = Results((replace(one, cell=Cell("nics", 4)),))
    done = gate(tmp_path, *files(tmp_path, results(1.0), other))
    assert done.returncode == 4
    assert "no benchmark in common" in done.stderr


def test_a_truncated_file_is_2(tmp_path: Path) -> None:
    one, other = files(tmp_path, results(1.0), results(1.0))
    other.write_text(other.read_text()[:100])
    done = gate(tmp_path, one, other)
    assert done.returncode == 2
    assert "b.json: truncated" in done.stderr
    assert done.stderr.count("\n") == 1


# ── exports ────────────────────────────────────────────────────────────────────────────────────────────


def test_exports_are_what_their_readers_expect(tmp_path: Path) -> None:
    together = (results(1.0, session="s"), results(1.2, session="s"))
    names = ("pytest-benchmark", "github", "bencher", "junit", "csv", "markdown")
    done = gate(tmp_path, *files(tmp_path, *together), "--export", *names)
    assert done.returncode == 1, done.stderr
    out = tmp_path / "qcaps-gate"
    entries = json.loads((out / "github-action-benchmark.json").read_text())
    assert [sorted(entry) for entry in entries] == [
        ["extra", "name", "range", "unit", "value"],
        ["name", "unit", "value"],
    ]
    assert entries[0]["value"] == pytest.approx(2404.8, rel=0.01)
    ((name, measures),) = json.loads((out / "bencher.json").read_text()).items()
    assert name == "disks/4 define trust once"
    latency = measures["latency"]
    assert latency["lower_value"] <= latency["value"] <= latency["upper_value"]
    assert measures["lookups"] == {"value": 1}
    case = ET.fromstring((out / "junit.xml").read_bytes())[1]
    assert case.find("failure") is not None
    assert "verdict=FAIL" in str(case.findtext("system-out")).splitlines()
    (row,) = csv.DictReader((out / "gate.csv").open())
    assert float(row["ratio"]) == pytest.approx(1.2)
    assert "| disks/4 define trust once | FAIL | +20.0 % |" in (out / "gate.md").read_text()


def test_pytest_benchmark_compares_the_export(tmp_path: Path) -> None:
    gate(tmp_path, *files(tmp_path, results(1.0), results(1.0)), "--export", "pytest-benchmark")
    shown = subprocess.run(
        [sys.executable, "-m", "pytest_benchmark", "compare", "qcaps-gate/pytest-benchmark.json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert shown.returncode == 0, shown.stderr
    assert "disks/4 define trust once" in shown.stdout


# ── wrong calls, builds that fail ──────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "what is the base?"),
        (("/dev/null",), "expected two results files"),
        (("--base-rev", "x", "--base-python", "y"), "not both"),
        (("--base-python", "/nonexistent/python"), "no such program"),
        (("--base-rev", "no-such-revision"), "no such revision"),
        (("--base-python", sys.executable, "--suite", "nope"), "no suite 'nope'"),
        (("--base-python", sys.executable, "--export", "nope"), "no export 'nope'"),
        (("--base-python", sys.executable, "--margins", "absent.toml"), "absent.toml: no such file"),
        (("/dev/null", "/dev/null", "--base-rev", "x"), "not both"),
        (("a.json", "b.json"), "a.json: no such file"),
    ],
)
def test_wrong_calls_are_one_line_and_2(tmp_path: Path, arguments: Sequence[str], said: str) -> None:
    done = gate(tmp_path, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[default\n", "margins.toml: "),
        ("[other]\n", "expected [default]"),
        ("[default]\ndelta = 0.01\n", 'expected a percentage such as "3 %"'),
        ("[default]\nlimit = 1\n", "expected delta and margin"),
        ("[default]\ndelta = '5 %'\n", "must be more than delta"),
    ],
)
def test_margins_that_cannot_be_meant(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "margins.toml").write_text(text)
    done = gate(tmp_path, "/dev/null", "/dev/null", "--margins", "margins.toml")
    assert done.returncode == 2
    assert said in done.stderr


@pytest.mark.slow
def test_a_revision_that_does_not_build_shows_its_last_lines(tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    (repository / "backend").mkdir(parents=True)
    # a project whose own build backend fails, so that nothing is downloaded
    (repository / "pyproject.toml").write_text(
        "[build-system]\nrequires = []\nbuild-backend = 'broken'\nbackend-path = ['backend']\n"
        "[project]\nname = 'qcaps'\nversion = '0'\n"
    )
    (repository / "backend" / "broken.py").write_text(
        "def build_wheel(*args, **kwargs):\n    raise SystemExit('the compiler is on strike')\n"
    )
    git = ("git", "-C", str(repository), "-c", "user.name=n", "-c", "user.email=e")
    for step in (("init", "-q"), ("add", "."), ("commit", "-qm", "broken")):
        subprocess.run([*git, *step], check=True)
    done = gate(repository, "--base-rev", "HEAD", "--builds", tmp_path / "builds")
    assert done.returncode == 2
    assert "the compiler is on strike" in done.stderr
    assert "--base-rev HEAD: does not build" in done.stderr.splitlines()[-1]
    # nothing of it is left in the repository
    shown = subprocess.run([*git, "worktree", "list"], capture_output=True, text=True, check=True)
    assert shown.stdout.count("\n") == 1


# ── a host that is too noisy ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("answers", "wait", "status", "said"),
    [
        (["loud"], (), 3, "NOISY HOST: loud"),
        (["loud", "loud"], ("--strict", "--wait", "0.1"), 3, "NOISY HOST: loud"),
        (["loud", ""], ("--wait", "5"), 0, "1 PASS"),
    ],
)
def test_a_noisy_host_is_3_unless_it_becomes_quiet_in_time(
    *,
    answers: list[str],
    wait: tuple[str, ...],
    status: int,
    said: str,
    tmp_path: Path,
    content: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    left = list(answers)
    monkeypatch.setattr(decision, "check_host", lambda *_: left.pop(0) if len(left) > 1 else left[0])
    monkeypatch.setattr(command, "_LOOK_AGAIN_SECONDS", 0.05)
    monkeypatch.chdir(tmp_path)
    arms = ("--base-python", sys.executable, "--suite", "quickest", "--content", str(content))
    (tmp_path / "margins.toml").write_text('[default]\ndelta = "90 %"\nmargin = "100 %"\n')
    assert main(["gate", *arms, "--margins", "margins.toml", *wait]) == status
    assert said in capsys.readouterr().out


DOMAIN = """<domain type='qemu'><name>{name}</name><memory>524288</memory>
<os><type arch='x86_64' machine='{machine}'>hvm</type></os><devices>
<interface type='hostdev' managed='yes'>
<source><address type='pci' domain='0' bus='3' slot='2' function='1'/></source></interface>
</devices></domain>
"""


def test_a_folder_s_guests_are_gated_whatever_one_of_them_is(tmp_path: Path) -> None:
    guests = tmp_path / "my guests"
    guests.mkdir()
    (guests / "fine.xml").write_text(DOMAIN.format(name="fine", machine="q35"))
    (guests / "refused.xml").write_text(DOMAIN.format(name="refused", machine="of-no-qemu"))
    (guests / "broken.xml").write_text("no xml")
    done = gate(
        tmp_path, guests, "--base-python", sys.executable, "--counts-only", "--json", "--task", "define"
    )
    assert done.returncode == 2, done.stderr
    report = json.loads(done.stdout)
    assert report["headline"] == "counts agree; nothing was timed"
    assert {row["head_law"] - row["head_lookups"] for row in report["counts"]} == {0}
    left_out = [line for line in report["notes"] if "left out" in line]
    assert any(f"{guests}/broken.xml:1: is not XML" in line for line in left_out)
    refused = [line for line in left_out if line.startswith("refused#")]
    assert refused
    assert all("both refuse it: " in line and "of-no-qemu" in line for line in refused)


def test_the_list_of_builds_is_json_where_that_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["gate", "--list-builds", "--json", "--builds", str(tmp_path)]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said == {"schema": "qcaps/builds/1", "folder": str(tmp_path), "limit_gb": 10, "builds": []}


def test_what_head_alone_refuses_is_worse() -> None:
    outcome = decision.GateOutcome()
    cell = Cell("disks", 1)
    outcome.refused[cell] = {"head": "line 3: no"}
    assert decision.exit_status(outcome, strict=False) == 1
    outcome.refused[cell] = {"base": "line 3: no"}
    outcome.counts[Cell("disks", 2)] = (COUNTS, COUNTS)
    assert decision.exit_status(outcome, strict=False) == 0
    outcome.refused[cell] |= {"head": "line 3: no"}
    assert decision.exit_status(outcome, strict=False) == 2


def test_an_interface_that_hands_a_host_device_through_is_asked_for_twice_by_the_law_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "fine.xml").write_text(DOMAIN.format(name="fine", machine="q35"))
    what = [*["--policy", "naive", "once"], *["--task", "define", "start", "createXML"]]
    short = [*["--validity", "trust"], *["--pairs", "1"], *["--processes", "1"], "-q"]
    assert main(["run", str(tmp_path / "fine.xml"), *what, *short, "-o", str(tmp_path / "out")]) == 0
    results = str(tmp_path / "out" / "results.json")
    capsys.readouterr()
    assert main(["gate", results, results, "--counts-only", "--json", "-o", str(tmp_path / "gated")]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)["counts"]}
    assert len(rows) == 6
    assert all(row["head_lookups"] == row["head_law"] for row in rows.values())
    (naive,) = (row for name, row in rows.items() if name.endswith("define trust naive"))
    assert naive["head_lookups"] == naive["head_devices"] + 3
