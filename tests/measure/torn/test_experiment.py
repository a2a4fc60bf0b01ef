"""The torn-task experiment, small: the harm is there without a policy against it, and gone with one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import pytest

from qcaps.commands import main
from qcaps.errors import QcapsError, UsageError
from qcaps.measure.torn import torn_file as tornfile
from qcaps.measure.torn.experiment import Experiment, Tally, TornArm, run
from qcaps.measure.torn.swapper import install, swapping

if TYPE_CHECKING:
    from pathlib import Path

EXPERIMENT = Experiment(
    "disks",
    2,
    ("pcie-root-port",),
    (TornArm("naive"), TornArm("once"), TornArm("once-abort")),
    tasks=60,
    mean=0.001,
    quiet_rounds=2,
)


@pytest.fixture(scope="module")
def tallies() -> dict[TornArm, Tally]:
    """Rounds of the experiment until the harm was seen, which chance decides."""
    for seed in range(20):
        found = run(replace(EXPERIMENT, seed=seed))
        if (
            found[TornArm("naive")].torn
            and found[TornArm("once")].stale
            and found[TornArm("once-abort")].aborted
        ):
            return found
    pytest.fail("1200 tasks a policy, and no binary was replaced in the middle of one")


def test_every_task_is_counted_once(tallies: dict[TornArm, Tally]) -> None:
    for tally in tallies.values():
        assert tally.tasks == 60
        counted = tally.consistent + tally.torn + tally.stale + tally.refused + tally.aborted
        assert counted == tally.tasks
        assert tally.torn_refused <= tally.torn


def test_once_tears_no_task_and_once_abort_commits_nothing_stale(tallies: dict[TornArm, Tally]) -> None:
    assert tallies[TornArm("naive")].torn > 0
    assert tallies[TornArm("once")].torn == 0
    assert tallies[TornArm("once")].stale > 0
    assert tallies[TornArm("once")].refused == 0  # either set alone accepts the domain
    assert tallies[TornArm("once-abort")].torn == 0
    assert tallies[TornArm("once-abort")].stale == 0


def test_whole_seconds_let_stale_commits_through_and_nanoseconds_do_not() -> None:
    coarse, fine = TornArm("once-abort", whole_seconds=True), TornArm("once-abort")
    found = run(replace(EXPERIMENT, arms=(coarse, fine), tasks=100))
    assert found[coarse].swaps > 0
    assert found[coarse].stale > 0
    assert found[fine].stale == 0


def test_retries_bring_tasks_through() -> None:
    bare, patient = TornArm("once-abort"), TornArm("once-abort", retries=20)
    found = run(replace(EXPERIMENT, arms=(bare, patient), tasks=60, mean=0.004))
    assert found[patient].aborted <= found[bare].aborted
    assert found[patient].consistent > found[bare].consistent
    assert found[patient].retried > 0
    assert found[patient].stale == found[patient].torn == 0


def test_a_file_comes_back_as_it_was_written(tallies: dict[TornArm, Tally], tmp_path: Path) -> None:
    found = tornfile.found(EXPERIMENT, tallies)
    path = tmp_path / "torn.json"
    tornfile.write(path, found)
    assert tornfile.read(path) == found
    assert found.rows[1].ratio == 1  # `once` is what the others are held against
    assert found.rows[2].window_us > 0
    assert found.swaps == sum(tally.swaps for tally in tallies.values())


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda _: "",
        lambda _: "[]",
        lambda _: "[" * 100_000,
        lambda text: text.replace('"qcaps torn"', '"other"'),
        lambda text: text.replace('"version": 1', '"version": 2'),
        lambda text: text.replace('"tasks": 60', '"tasks": "60"'),
        lambda text: text.replace('"torn"', '"tern"'),
        lambda text: text.replace('"ratio": 1', '"ratio": null'),
    ],
)
def test_a_damaged_file_is_one_clear_line(
    damage: object, tallies: dict[TornArm, Tally], tmp_path: Path
) -> None:
    assert callable(damage)
    path = tmp_path / "torn.json"
    tornfile.write(path, tornfile.found(EXPERIMENT, tallies))
    path.write_text(damage(path.read_text()))
    with pytest.raises(QcapsError, match=r"torn\.json: ") as caught:
        tornfile.read(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "wrong", [{"tasks": 0}, {"mean": 0.0}, {"removed": ("no-such-flag",)}, {"scenario": "no-such"}]
)
def test_what_cannot_be_run_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        run(Experiment(**{**{name: getattr(EXPERIMENT, name) for name in asdict(EXPERIMENT)}, **wrong}))


def test_the_command_prints_and_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = tmp_path / "content"
    (content / "bench" / "torn").mkdir(parents=True)
    (content / "bench" / "torn" / "pair.py").write_text(
        "from qcaps.measure.torn.experiment import TornArm\n"
        "SCENARIO, N, REMOVED = 'disks', 1, ('pcie-root-port',)\n"
        "def arms():\n    return [TornArm('once'), TornArm('once-abort', retries=1)]\n"
    )
    file = tmp_path / "torn.json"
    arguments = ["torn", "pair", "--content", str(content), "--tasks", "5", "--output", str(file)]
    assert main([*arguments, "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert [row["policy"] for row in printed["rows"]] == ["once", "once-abort"]
    assert tornfile.read(file).rows[1].retries == 1
    assert main(arguments) == 2
    assert "exists: --force" in capsys.readouterr().err
    assert main([*arguments, "--force"]) == 0
    assert "once-abort + 1 retries" in capsys.readouterr().out
    assert main(["torn", "quick"]) == 2
    assert "no torn suite 'quick'" in capsys.readouterr().err
    (content / "bench" / "torn" / "empty.py").write_text("")
    assert main(["torn", "empty", "--content", str(content)]) == 1
    assert "declares no" in capsys.readouterr().err


def test_the_swapper_ends_with_us(tmp_path: Path) -> None:
    path = tmp_path / "qemu"
    install(path, 0)
    with swapping(path, 0.001, 0):
        ends = time.monotonic() + 10
        while path.read_text().startswith("full 0") and time.monotonic() < ends:
            time.sleep(0.01)
    after = path.read_text()
    assert int(after.split()[1]) > 0
    time.sleep(0.02)
    assert path.read_text() == after


def test_the_swapper_does_not_outlive_a_killed_experiment(tmp_path: Path) -> None:
    path = tmp_path / "qemu"
    install(path, 0)
    program = (
        "import sys, time; from pathlib import Path; from qcaps.measure.torn.swapper import swapping\n"
        "with swapping(Path(sys.argv[1]), 0.001, 0): print('on', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    ends = time.monotonic() + 10
    before = ""
    while before != (before := path.read_text()) and time.monotonic() < ends:
        time.sleep(0.3)
    assert path.read_text() == before
