"""The folder of builds: killed, doubled, full."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from qcaps.child import run_guarded
from qcaps.commands import main
from qcaps.errors import UsageError
from qcaps.files import scratch_folder
from qcaps.git import git
from qcaps.measure.gate import builds, revisions
from qcaps.measure.gate.checkout import commit_of
from qcaps.measure.gate.revisions import ArmSource, arm_from

ROOT = Path(__file__).parents[3]


def say(_line: str) -> None:
    pass


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    place = tmp_path / "repository"
    for command in (
        ("init", "-q", str(place)),
        (
            "-C",
            str(place),
            "-c",
            "user.name=n",
            "-c",
            "user.email=e",
            "commit",
            "-q",
            "--allow-empty",
            "-m",
            "x",
        ),
    ):
        subprocess.run(["git", *command], check=True)
    return place


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "builds"


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What a build runs, instead of pip."""
    ran: list[list[str]] = []

    def run(_who: str, step: list[str], *_: object, **__: object) -> None:
        ran.append(step)
        if "--target" in step:
            time.sleep(0.3)
            Path(step[step.index("--target") + 1]).mkdir()

    monkeypatch.setattr(revisions, "run_step", run)
    return ran


def make(place: Path, name: str, size: int, used: float) -> Path:
    folder = place / name
    (folder / builds.PACKAGES).mkdir(parents=True)
    (folder / builds.PACKAGES / "file").write_bytes(b"x" * size)
    (folder / builds.BUILT).touch()
    os.utime(folder / builds.BUILT, (used, used))
    return folder


def test_two_gates_of_one_revision_build_it_once(
    repository: Path, place: Path, steps: list[list[str]]
) -> None:
    said: list[str] = []
    arms = []

    def gate() -> None:
        arms.append(arm_from(ArmSource("base", "HEAD"), repository, place, said.append))

    threads = [threading.Thread(target=gate) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([step for step in steps if "--target" in step]) == 1
    assert len({arm.path for arm in arms}) == 1
    assert Path(str(arms[0].path)).is_dir()
    assert sum("another gate builds there: waiting for it" in line for line in said) == 1
    assert git(repository, "worktree", "list").stdout.count("\n") == 1


def test_what_a_killed_gate_left_is_repaired_at_the_next(
    repository: Path, place: Path, steps: list[list[str]]
) -> None:
    half = place / "0123456789abcdef-py3" / "tree"
    git(repository, "worktree", "add", "--lock", "--detach", str(half), "HEAD")
    (half / ".git").unlink()
    half.rmdir()
    entry = repository / ".git" / "worktrees" / "tree7"
    entry.mkdir()
    (entry / "locked").write_text("initializing")
    for path in (entry, entry / "locked"):
        os.utime(path, (1, 1))
    assert "locked" in git(repository, "worktree", "list", "--porcelain").stdout
    (half.parent / "venv").mkdir()
    arm_from(ArmSource("base", "HEAD"), repository, place, say)
    assert git(repository, "worktree", "list").stdout.count("\n") == 1
    assert not entry.exists()
    assert len(builds.listed(place)) == 1
    assert sorted(one.name for one in place.iterdir()) == [".lock", builds.listed(place)[0].folder.name]
    assert steps


BUILDING = """
import sys
from pathlib import Path
from qcaps.measure.gate import builds
from qcaps.measure.gate.checkout import checked_out
place, repository = Path(sys.argv[1]), Path(sys.argv[2])
def make(folder):
    print("on", flush=True)
    with checked_out("us", "HEAD", repository, folder / "tree"):
        (folder / builds.PACKAGES).mkdir()
    return {}
builds.kept(place, builds.name("0123456789abcdef"), repository, print, make=make)
"""


@pytest.mark.parametrize("number", range(50 if os.environ.get("QCAPS_TESTS_FULL") else 3))
def test_a_worktree_that_was_being_added_leaves_nothing_locked(tmp_path: Path, number: int) -> None:
    """Killed with its group, git included, while git writes 2,000 files."""
    repository, place = tmp_path / "repository", tmp_path / "builds"
    subprocess.run(["git", "init", "-q", str(repository)], check=True)
    for name in range(2000):
        (repository / f"{name}.txt").write_text(f"{name}\n" * 20)
    subprocess.run(["git", "-C", str(repository), "add", "."], check=True)
    own = ["-c", "user.name=n", "-c", "user.email=e"]
    subprocess.run(["git", "-C", str(repository), *own, "commit", "-qm", "x"], check=True)
    command = [sys.executable, "-c", BUILDING, str(place), str(repository)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, start_new_session=True) as killed:
        assert killed.stdout is not None
        assert killed.stdout.readline() == b"on\n"
        time.sleep(random.Random(number).uniform(0, 0.3))
        os.killpg(killed.pid, signal.SIGKILL)
    for entry in (repository / ".git" / "worktrees").glob("*"):
        for path in (entry, *entry.iterdir()):
            os.utime(path, (1, 1))  # what git had not yet said the place of is believed to be ours only later
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert git(repository, "worktree", "list", "--porcelain").stdout.count("worktree ") == 1
    assert not list((repository / ".git").glob("worktrees/*"))
    assert sorted(one.name for one in place.iterdir()) == [".lock", builds.listed(place)[0].folder.name]
    assert not (builds.listed(place)[0].folder / "tree").exists()


def test_what_else_lies_in_the_folder_stays(place: Path) -> None:
    theirs = place / "project"
    for part in ("tree", "venv", "packages"):
        (theirs / part).mkdir(parents=True)
    with builds.taking_turns(place, print):
        pass
    assert sorted(one.name for one in theirs.iterdir()) == ["packages", "tree", "venv"]


def test_other_peoples_worktrees_stay(
    repository: Path, place: Path, tmp_path: Path, steps: list[list[str]]
) -> None:
    git(repository, "worktree", "add", "--lock", "--detach", str(tmp_path / "tree"), "HEAD")
    arm_from(ArmSource("base", "HEAD"), repository, place, say)
    assert f"{tmp_path}/tree\n" in git(repository, "worktree", "list", "--porcelain").stdout
    assert steps


def test_the_oldest_builds_go_and_none_in_use(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folders = [make(place, f"{number}-py3", 1 << 20, number) for number in range(1, 5)]
    with builds.taking_turns(place, say):
        assert [one.folder for one in builds.listed(place)] == folders[::-1]
        assert builds.prune(place, 0.1) == []
        builds.use(folders[0])
        os.utime(folders[0] / builds.BUILT, (1, 1))
        removed = builds.prune(place, 0.0025)
    assert [one.folder for one in removed] == folders[1:3]
    assert [path.exists() for path in folders] == [True, False, False, True]
    assert main(["gate", "--list-builds", "--builds", str(place)]) == 0
    said = capsys.readouterr().out
    assert "4-py3  1 MB  used 1970-01-01" in said
    assert "2 builds, 0.00 GB; above 10 GB the oldest go" in said


def test_what_is_in_use_by_another_process_stays(place: Path) -> None:
    folder = make(place, "1-py3", 1 << 20, 1)
    script = (
        f"from qcaps.measure.gate import builds; from pathlib import Path; builds.use(Path({str(folder)!r}))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", f"{script}; print(flush=True); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        assert builds.prune(place, 0) == []
        other.kill()
    assert [one.folder for one in builds.prune(place, 0)] == [folder]


def test_a_build_that_is_there_waits_for_nobody(
    repository: Path, place: Path, steps: list[list[str]]
) -> None:
    said: list[str] = []
    first = arm_from(ArmSource("base", "HEAD"), repository, place, said.append)
    with builds.taking_turns(place, said.append):  # another gate builds for minutes
        again = arm_from(ArmSource("head", "HEAD"), repository, place, said.append)
    assert again.path == first.path
    assert not [line for line in said if "waiting" in line]
    assert len([step for step in steps if "--target" in step]) == 1


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_gate_that_is_killed_leaves_no_build_running(number: signal.Signals, tmp_path: Path) -> None:
    told = tmp_path / "pids"
    inner = f"sleep 1000 & echo $! >> {told}; setsid sleep 1000 & echo $! >> {told}; wait"
    script = "import os; from qcaps.child import run_guarded; "
    script += f"run_guarded(['sh', '-c', {inner!r}], os.environ, 99)"
    with subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, stderr=subprocess.DEVNULL, start_new_session=True
    ) as gate:
        ends = time.monotonic() + 20
        while time.monotonic() < ends and not (told.exists() and told.read_text().count("\n") > 1):
            time.sleep(0.02)
        os.killpg(gate.pid, number)
        gate.wait()
    pids = [int(line) for line in told.read_text().split()]
    ends = time.monotonic() + 5
    while any(map(alive, pids)) and time.monotonic() < ends:
        time.sleep(0.02)
    assert len(pids) == 2
    assert not any(map(alive, pids))


def test_a_build_that_takes_too_long_is_ended_whole(tmp_path: Path) -> None:
    told = tmp_path / "pid"
    with pytest.raises(subprocess.TimeoutExpired):
        run_guarded(["sh", "-c", f"setsid sleep 1000 & echo $! > {told}; wait"], dict(os.environ), 0.5)
    assert not alive(int(told.read_text()))
    assert run_guarded(["sh", "-c", "echo said; exit 3"], dict(os.environ), 9) == (3, "said\n")


def test_scratch_left_by_a_kill_goes_at_the_next_start_however_young(tmp_path: Path) -> None:
    script = "import os, signal; from qcaps.files import scratch_folder; from pathlib import Path\n"
    script += f"with scratch_folder(Path({str(tmp_path)!r})): os.kill(os.getpid(), signal.SIGKILL)"
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False)
    assert len(list(tmp_path.iterdir())) == 1
    with scratch_folder(tmp_path) as ours:
        assert list(tmp_path.iterdir()) == [ours]
        with scratch_folder(tmp_path) as other:
            assert sorted(tmp_path.iterdir()) == sorted((ours, other))
    assert not list(tmp_path.iterdir())


def test_a_repository_of_another_user_is_called_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    with pytest.raises(UsageError, match="belongs to another user"):
        commit_of("--base-rev HEAD", "HEAD", tmp_path)
