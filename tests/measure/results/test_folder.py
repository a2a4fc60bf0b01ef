"""One folder, several writers: who holds it, what a kill leaves, what goes on, what is refused."""

from __future__ import annotations

import fcntl
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from qcaps import files
from qcaps.errors import QcapsError
from qcaps.measure.results import results_file

if TYPE_CHECKING:
    from collections.abc import Iterator

FULL = os.environ.get("QCAPS_TESTS_FULL") == "1"
RUN = (sys.executable, "-m", "qcaps", "run")
READS = 10_000 if FULL else 500
PLAN = [
    *["--scenario", "serials", "-n", "1", "4", "--task", "define"],
    *["--validity", "ctime", "--policy", "once", "--processes", "2"],
]
SHORT, LONG = [*PLAN, "--pairs", "2"], [*PLAN, "--pairs", "15"]
HOLD = """import sys, time
from qcaps import files
from pathlib import Path
with files.{}(Path(sys.argv[1])) as folder:
    print(folder, flush=True)
    time.sleep(60)
"""


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*RUN, *arguments], cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds tmp_path/out."""
    command = [sys.executable, "-c", HOLD.format("held"), str(tmp_path / "out")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        yield process
        process.kill()


def blocks(file: Path) -> dict[str, int]:
    return {
        one.cell.name: sum(len(run.blocks) for run in one.runs) for one in results_file.read(file).measured
    }


def hidden(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


@pytest.mark.slow
def test_of_four_runs_in_one_folder_one_goes_on_and_three_say_who_holds_it(tmp_path: Path) -> None:
    runs = [
        subprocess.Popen(
            [*RUN, *LONG], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    file, torn, whole = tmp_path / "qcaps-results" / "results.json", 0, 0
    while whole < READS and (FULL or whole == 0 or any(one.poll() is None for one in runs)):
        try:
            json.loads(file.read_bytes())
            whole += 1
        except FileNotFoundError:
            time.sleep(0.01)
        except ValueError:
            torn += 1
    said = [one.communicate() for one in runs]
    codes = sorted(one.returncode for one in runs)
    assert (codes, torn) == ([0, 2, 2, 2], 0), said
    (winner,) = (one.pid for one in runs if one.returncode == 0)
    for one, (_, errors) in zip(runs, said, strict=True):
        if one.returncode:
            assert "qcaps-results: '__main__.py run --scenario serials" in errors
            assert f"(process {winner} on " in errors
            assert errors.count("\n") == 1
    assert set(blocks(file).values()) == {30}


@pytest.mark.slow
@pytest.mark.parametrize("group", [False, True])
def test_a_run_killed_at_any_instant_is_gone_on_with(tmp_path: Path, *, group: bool) -> None:
    draw = random.Random(7)
    for _ in range(25 if FULL else 2):
        folder = tmp_path / "out"
        one = subprocess.Popen(
            [*RUN, *SHORT, "--output", str(folder)], cwd=tmp_path, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        time.sleep(draw.uniform(0.1, 3.0))
        if group:
            os.killpg(one.pid, signal.SIGKILL)
        else:
            one.kill()
        one.wait()
        before = blocks(folder / "results.json") if (folder / "results.json").exists() else {}
        after = run(tmp_path, *SHORT, "--output", str(folder))
        assert after.returncode == 0, after.stderr
        assert not before or "going on with" in after.stderr or "measured already" in after.stderr
        assert set(blocks(folder / "results.json").values()) == {4}
        assert hidden(folder) == []
        for path in folder.iterdir():
            path.unlink()


@pytest.mark.slow
def test_what_is_measured_is_not_measured_again_unless_forced(tmp_path: Path) -> None:
    assert run(tmp_path, *SHORT).returncode == 0
    file = tmp_path / "qcaps-results" / "results.json"
    first = file.read_bytes()
    again = run(tmp_path, *SHORT)
    assert (again.returncode, file.read_bytes()) == (0, first)
    assert "measured already; --force" in again.stderr
    assert run(tmp_path, *SHORT, "--force").returncode == 0
    assert file.read_bytes() != first


@pytest.mark.slow
def test_results_of_another_plan_are_not_written_over(tmp_path: Path) -> None:
    assert run(tmp_path, *SHORT).returncode == 0
    file = tmp_path / "qcaps-results" / "results.json"
    first = file.read_bytes()
    other = run(tmp_path, *LONG)
    assert (other.returncode, file.read_bytes()) == (1, first)
    assert "results.json: of another plan (pairs 2, now 15): --force" in other.stderr
    (file.parent / "run.json").unlink()
    unknown = run(tmp_path, *SHORT)
    assert unknown.returncode == 1
    assert "that 'qcaps run' did not leave here: --force" in unknown.stderr
    assert run(tmp_path, *LONG, "--force").returncode == 0
    assert set(blocks(file).values()) == {30}


@pytest.mark.slow
def test_a_figure_of_an_older_report_goes_and_a_user_s_file_stays(tmp_path: Path) -> None:
    assert run(tmp_path, *SHORT).returncode == 0
    out = tmp_path / "qcaps-results"
    (out / "mine.svg").write_text("my own")
    assert (out / "speedup_by_devices.svg").exists()
    one_size = [*SHORT, "--force"]
    one_size[one_size.index("-n") + 2 : one_size.index("-n") + 3] = []
    assert run(tmp_path, *one_size).returncode == 0
    page = (out / "report.html").read_text()
    figures = {path.name for path in out.glob("*.svg")} - {"mine.svg"}
    assert figures == {name for name in page.partition('qcaps-files" content="')[2].partition('"')[0].split()
                       if name.endswith(".svg")}  # fmt: skip
    assert (out / "mine.svg").read_text() == "my own"


def _kill_workers(run: subprocess.Popen[str], count: int) -> int:
    """SIGKILL so many workers of that run, each once it has worked for two seconds; how many there were."""
    killed: set[int] = set()
    while len(killed) < count and run.poll() is None:
        for status in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = status.read_text().rpartition(")")[2].split()
                command = (status.parent / "cmdline").read_bytes()
            except OSError:
                continue
            parent, ticks, pid = int(fields[1]), int(fields[11]) + int(fields[12]), int(status.parent.name)
            worked = ticks / os.sysconf("SC_CLK_TCK")
            if parent == run.pid and b"worker.work" in command and pid not in killed and worked > 2:
                os.kill(pid, signal.SIGKILL)
                killed.add(pid)
        time.sleep(0.01)
    return len(killed)


@pytest.mark.slow
def test_a_worker_that_is_killed_twice_is_said_and_its_series_marked(tmp_path: Path) -> None:
    # without forks all of the six seconds that a worker may time are its own
    size = "--scenario serials -n 64 --processes 1 --pairs 9000"
    plan = [*size.split(), *["--task", "define", "--validity", "ctime", "--policy", "once"]]
    with subprocess.Popen(
        [*RUN, *plan], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as one:
        assert _kill_workers(one, 2) == 2
        out, errors = one.communicate()
    assert one.returncode == 1
    assert "serials/64 define ctime: its worker was killed by SIGKILL;" in " ".join(errors.split())
    assert "†" in out
    assert "killed by SIGKILL" in (tmp_path / "qcaps-results" / "summary.md").read_text()
    again = run(tmp_path, *plan)
    assert "0 of 1 jobs done" in again.stderr
    assert "†" not in again.stdout


def test_a_killed_holder_s_child_lets_go_of_the_folder_soon(tmp_path: Path) -> None:
    script = (
        "import os, sys, time; from pathlib import Path; from qcaps.files import held\n"
        "with held(Path(sys.argv[1])):\n"
        "    if os.fork() == 0: time.sleep(0.6); os._exit(0)\n"
        "    print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(files.BusyError), files.held(tmp_path):
            pass
        holder.kill()
        holder.wait()
        with files.held(tmp_path):
            pass


def test_a_link_planted_under_the_old_temporary_name_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    for name in ("a.json.new", ".a.json.new"):
        (tmp_path / name).symlink_to(victim)
    (tmp_path / "a.json").symlink_to(victim)
    files.replace_file(tmp_path / "a.json", "new")
    assert (victim.read_text(), (tmp_path / "a.json").read_text()) == ("precious", "new")
    assert not (tmp_path / "a.json").is_symlink()


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")

    def fail_half_way() -> None:
        with files.replacing(tmp_path / "a") as file:
            file.write(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a", "old")]


def test_a_pipe_that_a_user_names_is_written_as_it_is(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with subprocess.Popen(["cat", tmp_path / "pipe"], stdout=subprocess.PIPE, text=True) as cat:
        files.replace_file(tmp_path / "pipe", "through", named=True)
        assert cat.communicate()[0] == "through"


def test_a_pipe_under_a_name_of_ours_is_replaced_and_keeps_nobody_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "results.json")
    files.replace_file(tmp_path / "results.json", "{}")
    assert (tmp_path / "results.json").read_text() == "{}"


def test_what_a_shell_passes_is_written_as_it_is_whatever_it_leads_to(tmp_path: Path) -> None:
    """A file behind /dev/stdout too: nothing is put in the place of /dev/stdout."""
    before = Path("/dev/stdout").readlink()
    script = "import sys; from pathlib import Path; from qcaps.files import replace_file\n"
    script += "replace_file(Path('/dev/stdout'), 'text', named=True)"
    with (tmp_path / "out").open("wb") as out:
        subprocess.run([sys.executable, "-c", script], stdout=out, check=True)
    assert (tmp_path / "out").read_text() == "text"
    assert Path("/dev/stdout").readlink() == before


def test_a_link_to_a_device_is_replaced_not_followed(tmp_path: Path) -> None:
    device, results = tmp_path / "device", tmp_path / "results.json"
    os.mkfifo(device)  # would keep us waiting, as some devices do
    results.symlink_to(device)
    files.replace_file(results, "{}")
    assert not results.is_symlink()
    assert results.read_text() == "{}"
    results.unlink()
    results.symlink_to("/dev/full")
    files.replace_file(results, "{}")
    assert results.read_text() == "{}"


@pytest.mark.parametrize("planted", ["hard link", "pipe", "device", "huge"])
def test_a_planted_lock_costs_nothing(tmp_path: Path, planted: str) -> None:
    precious, folder = tmp_path / "precious", tmp_path / "out"
    precious.write_text("precious")
    folder.mkdir()
    lock = folder / files.LOCK
    if planted == "hard link":
        lock.hardlink_to(precious)
    elif planted == "pipe":
        os.mkfifo(lock)
    elif planted == "device":
        lock.symlink_to("/dev/null")
    else:
        lock.write_bytes(b"\xff" * 100)
        os.truncate(lock, 1 << 40)
        with lock.open("rb") as other:
            fcntl.flock(other, fcntl.LOCK_EX)
            with pytest.raises(files.BusyError, match="another process is at work"), files.held(folder):
                pass
        return
    with pytest.raises(QcapsError, match=r"\.qcaps-lock: "), files.held(folder):
        pass
    assert precious.read_text() == "precious"
    assert lock.lstat().st_nlink >= 1


def test_the_umask_says_who_may_read(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        files.replace_file(tmp_path / "a", "x")
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640


def test_a_killed_holder_frees_the_folder_and_its_leftovers_go(
    tmp_path: Path, holder: subprocess.Popen[str]
) -> None:
    out = tmp_path / "out"
    with pytest.raises(QcapsError, match=rf"process {holder.pid} on .* is at work in it"), files.held(out):
        pass
    (out / ".results.json.0123456789abcdef.qcaps-new").write_text("half")
    (out / ".mine.qcaps-new").write_text("mine")
    holder.kill()
    holder.wait()
    with files.held(out):
        assert sorted(hidden(out)) == [".mine.qcaps-new", files.LOCK]
    assert hidden(out) == [".mine.qcaps-new"]


def test_a_folder_that_cannot_be_locked_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(QcapsError, match="cannot be made a folder"), files.held(tmp_path / "file"):
        pass
    (tmp_path / files.LOCK).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(QcapsError, match="cannot be written"), files.held(tmp_path):
        pass


def test_scratch_folders_of_killed_processes_go_and_live_ones_stay(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD.format("scratch_folder"), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as live:
        assert live.stdout is not None
        folder = Path(live.stdout.readline().strip())
        with files.scratch_folder(tmp_path) as ours:
            assert sorted(tmp_path.iterdir()) == sorted((folder, ours))
        live.kill()
    with files.scratch_folder(tmp_path) as ours:
        assert list(tmp_path.iterdir()) == [ours]


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="a PID namespace takes root")
def test_scratch_of_versions_without_locks_goes_when_it_is_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("qcaps-gate-0a_b1c2d", "qcaps-gate-12345678", "qcaps-gate-baseline", "qcaps-gate-of-mine")
    old, young, open_, other = (tmp_path / name for name in names)
    for folder in (old, young, open_, other):
        folder.mkdir(mode=0o755 if folder == open_ else 0o700)
    for folder in (old, open_, other):
        os.utime(folder, (1, 1))
    there = (old, young, open_, other)
    with files.scratch_folder(tmp_path):  # anybody's folder
        assert [folder.exists() for folder in there] == [True] * 4
    monkeypatch.setattr(files, "_MEMORY", tmp_path)
    with files.scratch_folder(tmp_path):
        assert [folder.exists() for folder in there] == [False, True, True, True]


def test_a_live_scratch_folder_of_another_pid_namespace_stays(tmp_path: Path) -> None:
    inside = ["unshare", "--pid", "--fork", "--kill-child", sys.executable, "-c"]
    with subprocess.Popen(
        [*inside, HOLD.format("scratch_folder"), str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as live:
        assert live.stdout is not None
        folder = Path(live.stdout.readline().strip())
        files.sweep(tmp_path)
        assert folder.is_dir()
        live.kill()
