"""`qcaps run` as a process: what it leaves behind, in time, interrupted, and called wrongly."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from qcaps.measure.results import results_file
from tests.support.waiting import but_progress

if TYPE_CHECKING:
    from pathlib import Path

RUN = (sys.executable, "-m", "qcaps", "run")
REPORT = {"report.html", "summary.md", "speedup_by_devices.png", "time_by_devices.svg", "timeline.png"}


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*RUN, *arguments], cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    folder = tmp_path_factory.mktemp("empty")
    small = ("--scenario", "serials", "-n", "1", "8", "--pairs", "6", "--processes", "1")
    return folder, run(folder, *small, "--task", "define", "--validity", "fork", "--policy", "once", "oracle")


def test_it_leaves_results_a_summary_a_table_and_figures(
    measured: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    folder, done = measured
    assert (done.returncode, but_progress(done.stderr)) == (0, "")
    left = {path.name for path in (folder / "qcaps-results").iterdir()}
    assert left >= {"results.json", "summary.json", "table.md", *REPORT}
    assert not any(name.startswith(".") or name.endswith(".new") for name in left)
    assert [path.name for path in folder.iterdir()] == ["qcaps-results"]


def test_the_table_and_the_summary_agree_with_the_results(
    measured: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    folder, done = measured
    results = results_file.read(folder / "qcaps-results" / "results.json")
    assert [one.cell.policy for one in results.measured[:3]] == ["naive", "once", "oracle"]
    summary = json.loads((folder / "qcaps-results" / "summary.json").read_text())["speedups"]
    assert [(one["n"], one["policy"]) for one in summary] == [
        (1, "once"),
        (1, "oracle"),
        (8, "once"),
        (8, "oracle"),
    ]
    for one in summary:
        assert one["lookups"]["naive"] == one["forks"]["naive"] == one["devices"] + 2
        assert 1 < one["low"] <= one["ratio"] <= one["high"]
        assert any(f"{one['ratio']:.{digits}f}" in done.stdout for digits in (0, 1, 2))


def test_the_results_say_under_which_conditions(
    measured: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    folder, _ = measured
    (run,) = results_file.read(folder / "qcaps-results" / "results.json").measured[0].runs
    assert {
        "qcaps_version",
        "qemu_version",
        "capabilities",
        "dropped_user",
        "hash_seed",
        "cpu_affinity",
    } <= set(run.facts)
    assert run.facts["gc"] == "disabled"
    assert str(run.facts["dropped_user"]).startswith("yes") == (os.geteuid() == 0)
    assert len(run.blocks) == 6


def test_json_prints_the_summary_alone(tmp_path: Path) -> None:
    one = ("--scenario", "serials", "-n", "1", "--pairs", "1", "--processes", "1", "--policy", "once")
    done = run(tmp_path, *one, "--task", "define", "--validity", "trust", "--json", "--output", "out")
    kept = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert json.loads(done.stdout) == {"schema": "qcaps/run/1", **kept, "refused": []}
    assert [one["forks"] for one in json.loads(done.stdout)["speedups"]] == [{"naive": 0, "once": 0}]


def test_other_names_of_a_release_are_policies_too(tmp_path: Path) -> None:
    one = (
        "serials",
        "-n",
        "1",
        "--pairs",
        "1",
        "--processes",
        "1",
        "--task",
        "define",
        "--validity",
        "trust",
    )
    done = run(tmp_path, *one, "--policy", "stock", "libvirt-9.0", "--json", "--output", "out")
    lookups = [list(one["lookups"].items())[1] for one in json.loads(done.stdout)["speedups"]]
    assert lookups == [("stock", 15), ("libvirt-9.0", 14)]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_keeps_what_was_measured(number: int, tmp_path: Path) -> None:
    long = ("--scenario", "serials", "-n", "1", "2", "--task", "define", "--validity", "ctime")
    process = subprocess.Popen(
        [*RUN, *long, "--pairs", "5", "--processes", "1000"],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    file = tmp_path / "qcaps-results" / "results.json"
    deadline = time.monotonic() + 60
    while not file.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(number)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 130
    assert but_progress(said).startswith("qcaps: interrupted; ")
    assert "results.json" in said
    assert but_progress(said).count("\n") == 1
    assert results_file.read(file).measured
    assert {path.name for path in file.parent.iterdir()} == {
        "results.json", "run.json", "summary.json", "table.md",
    }  # fmt: skip


@pytest.mark.slow
def test_killed_outright_it_keeps_results_and_the_next_run_sweeps(tmp_path: Path) -> None:
    few = ("--scenario", "serials", "-n", "1", "--task", "define", "--validity", "ctime", "--policy", "once")
    process = subprocess.Popen([*RUN, *few, "--pairs", "2", "--processes", "1000"], cwd=tmp_path)
    file = tmp_path / "qcaps-results" / "results.json"
    deadline = time.monotonic() + 60
    while not file.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    process.kill()
    process.wait(timeout=20)
    assert results_file.read(file).measured
    assert len(list(file.parent.glob(".qcaps-scratch-*"))) == 1
    assert run(tmp_path, *few, "--pairs", "2", "--processes", "1", "--force").returncode == 0
    assert list(file.parent.glob(".*")) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nope",), "no suite 'nope'"),
        (("--scenario", "nope"), "no scenario 'nope'"),
        (("--policy", "nope"), "no policy 'nope'"),
        (("--baseline", "nope"), "no policy 'nope'"),
        (("--validity", "nope"), "no validity 'nope'"),
        (("--task", "nope"), "no task 'nope'"),
        (("--pairs", "0"), "--pairs: expected a whole number"),
        (("--processes", "-1"), "--processes: expected a whole number"),
        (("--scenario", "usb", "-n", "100000"), "usb takes 0 to"),
        (("--content", "absent"), "no such folder"),
    ],
)
def test_wrong_usage_is_one_line_and_leaves_nothing(
    arguments: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    done = run(tmp_path, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_an_output_that_cannot_be_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run(tmp_path, "--quick", "--output", "file")
    assert done.returncode == 1
    assert "file: cannot be made a folder: File exists" in done.stderr


@pytest.mark.slow
def test_a_refused_scenario_is_named_and_the_rest_is_measured(tmp_path: Path) -> None:
    own = tmp_path / "own" / "scenarios"
    own.mkdir(parents=True)
    (own / "broken.py").write_text(
        "SUMMARY = 'a domain no QEMU has'\nLARGEST = {'no-such-machine': 9}\n"
        "def devices(n, machine, random):\n    yield from ()\n"
    )
    few = ("-n", "1", "--task", "define", "--validity", "trust", "--pairs", "1", "--processes", "1")
    done = run(tmp_path, "--scenario", "broken", "serials", *few, "--content", "own")
    assert done.returncode == 1
    assert "not measured: broken/1 define trust: " in done.stderr
    assert "serials" in done.stdout
