"""`qcaps calibrate`, what the doctor makes of it, `qcaps compare`, `qcaps profile`: as processes."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from scipy import stats

from qcaps.commands.doctor import noise
from qcaps.measure.gate import calibration
from qcaps.measure.gate.calibration import Calibration, drift_of, spread_of, upper_bound
from qcaps.measure.gate.series import Pair
from qcaps.measure.gate.verdict import Verdict

if TYPE_CHECKING:
    from pathlib import Path

    from qcaps.commands.doctor.finding import Finding

SUITE = """
from qcaps.measure.cell import Cell
SUMMARY = "a loop"
def cells():
    yield Cell("loop", 1000, subject="loop")
"""


def qcaps(folder: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "qcaps", *map(str, arguments)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "XDG_STATE_HOME": str(folder / "state")},
    )


@pytest.mark.parametrize(("failed", "decisions"), [(0, 1), (0, 200), (2, 200), (5, 6)])
def test_the_bound_is_clopper_pearsons(failed: int, decisions: int) -> None:
    exact = stats.binomtest(failed, decisions, alternative="less").proportion_ci(0.95, "exact").high
    assert upper_bound(failed, decisions) == pytest.approx(exact, abs=1e-9)


def test_a_bound_without_a_decision_says_nothing() -> None:
    assert upper_bound(0, 0) == 1


def test_noise_is_told_from_drift() -> None:
    steady = [[Pair(one, one * 1.01) for one in (1.0, 2.0, 3.0)]]
    assert spread_of(steady) == pytest.approx(0)
    assert drift_of([[1.0, 1.0, 1.0]]) == 0
    assert drift_of([[1.0, 1.1], [2.0, 2.2]]) == pytest.approx(0.0674, abs=0.001)


def test_calibrate_counts_keeps_and_compares(tmp_path: Path) -> None:
    (tmp_path / "content" / "bench" / "suites").mkdir(parents=True)
    (tmp_path / "content" / "bench" / "suites" / "loop.py").write_text(SUITE)
    done = qcaps(
        tmp_path,
        "calibrate",
        "--suite",
        "loop",
        "--content",
        "content",
        "--repetitions",
        "1",
        "--slowdown",
        "0",
        "--json",
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert sum(found["verdicts"].pop("0").values()) == 1
    assert found["verdicts"] == {}
    assert found["seconds"] > 0
    left = json.loads((tmp_path / "state" / "qcaps" / "calibration.json").read_text())
    assert left["hostname"] == found["hostname"] == platform.node()
    # every pair is kept
    folders = sorted(path.name for path in (tmp_path / "qcaps-calibration").iterdir())
    assert folders == ["0000-0"]
    files = [tmp_path / "qcaps-calibration" / "0000-0" / name for name in ("base.json", "head.json")]
    again = qcaps(tmp_path, "calibrate", "--suite", "loop", "--content", "content", "--repetitions", "1")
    assert (again.returncode, "has an earlier calibration: --force" in again.stderr) == (2, True)
    assert files[0].exists()
    compared = qcaps(tmp_path, "compare", *files, "--json")
    assert compared.returncode == 0, compared.stderr
    (one,) = json.loads(compared.stdout)["benchmarks"]
    assert one["name"].startswith("loop/1000")
    assert one["ratio"] == pytest.approx(one["seconds"][1] / one["seconds"][0])
    assert "loop/1000" in qcaps(tmp_path, "compare", *files).stdout


def kept(folder: Path, monkeypatch: pytest.MonkeyPatch, failed: int, decisions: int) -> Finding:
    monkeypatch.setenv("XDG_STATE_HOME", str(folder))
    found = Calibration(hostname=platform.node(), suite="s", date="2026-01-01 00:00:00", drift=0.02)
    found.add(0.0, [Verdict.FAIL] * failed + [Verdict.PASS] * (decisions - failed), alarm=failed > 0)
    found.add(0.05, [Verdict.FAIL] * 10, alarm=True)
    calibration.write(found)
    return noise._calibration()


def test_the_doctor_warns_of_a_host_that_raises_false_alarms(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert kept(tmp_path, monkeypatch, 0, 100).ok
    warned = kept(tmp_path, monkeypatch, 5, 100)
    assert not warned.ok
    assert "5 false alarms in 100 decisions" in warned.text
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "empty"))
    assert "not known" in noise._calibration().text


@pytest.mark.parametrize("text", ["", "[]", '{"hostname": "elsewhere"}'])
def test_a_calibration_of_another_shape_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "calibration.json").write_text(text)
    assert calibration.read(tmp_path / "calibration.json") is None


def test_a_calibration_by_other_rules_is_none(tmp_path: Path) -> None:
    file = tmp_path / "calibration.json"
    calibration.write(Calibration(hostname=platform.node()), file)
    assert calibration.read(file) is not None
    calibration.write(Calibration(hostname=platform.node(), rules="looks once"), file)
    assert calibration.read(file) is None


def test_profile_writes_spans_and_samples(tmp_path: Path) -> None:
    cell = ("--scenario", "serials", "-n", "4", "--validity", "ctime", "--seconds", "0.1")
    done = qcaps(tmp_path, "profile", *cell)
    assert done.returncode == 0, done.stderr
    assert "lookups" in done.stdout
    out = tmp_path / "qcaps-profile"
    events = json.loads((out / "trace.json").read_text())["traceEvents"]
    named = {event["name"] for event in events if event["ph"] == "X"}
    assert {"parse", "post-parse", "validate", "validate device: serial"} <= named
    profile = json.loads((out / "spans.speedscope.json").read_text())["profiles"][0]
    assert profile["type"] == "evented"
    assert json.loads((out / "samples.speedscope.json").read_text())["profiles"]
    assert "validate" in (out / "calls.txt").read_text()


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("compare", "absent.json", "absent.json"), 2, "absent.json: no such file"),
        (("calibrate", "--repetitions", "0"), 2, "--repetitions: expected a whole number"),
        (("calibrate", "--slowdown", "-3"), 2, "--slowdown"),
        (("calibrate", "--suite", "nope"), 2, "no suite 'nope'"),
        (("profile", "--task", "nope"), 2, "no task 'nope'"),
        (("profile", "--policy", "nope"), 2, "no policy 'nope'"),
    ],
)
def test_wrong_calls_are_one_line(tmp_path: Path, arguments: tuple[str, ...], status: int, said: str) -> None:
    done = qcaps(tmp_path, *arguments)
    assert done.returncode == status
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
