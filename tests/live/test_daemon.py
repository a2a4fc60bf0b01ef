"""Daemons: one of our own, and one that runs already and must not notice."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from qcaps.commands import main
from qcaps.live.counting.adminlog import AdminLog, LogSettings
from qcaps.live.counting.mapped import check_process
from qcaps.live.errors import LibvirtDied, LiveError, NoLibvirt
from qcaps.live.host.daemon import PrivateDaemon, RunningDaemon
from qcaps.live.host.installation import find
from qcaps.live.host.live_folder import place
from qcaps.measure.results import results_file
from qcaps.scenario import scenario
from tests.support.lawful import by_law

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qcaps.live.host.libvirt_process import Counting

pytestmark = [pytest.mark.libvirt, pytest.mark.root]

SETTINGS = 'log_outputs="3:file:{folder}/own.log"\nlog_filters="3:rpc 2:util.json"\n'


@contextmanager
def daemon() -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A daemon that is not ours: its URI, and the process whose end is its end."""
    with tempfile.TemporaryDirectory(prefix="qcaps-test-") as name:
        folder = Path(name)
        (folder / "conf").write_text(
            f'unix_sock_dir="{folder}"\nauth_unix_rw="none"\n' + SETTINGS.format(folder=folder)
        )
        command = ["libvirtd", "--config", str(folder / "conf"), "--pid-file", str(folder / "pid")]
        process = subprocess.Popen([*place(daemon=True).prefix, *command])
        try:
            end = time.monotonic() + 20
            while not (folder / "libvirt-admin-sock").is_socket():
                assert time.monotonic() < end, "libvirtd does not start"
                time.sleep(0.02)
            yield f"qemu+unix:///system?socket={folder}/libvirt-sock", process
        finally:
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def running() -> Iterator[str]:
    with daemon() as (uri, _):
        yield uri


@pytest.mark.parametrize("counting", ["interposer", "log"])
def test_a_daemon_of_our_own_keeps_the_law(counting: Counting) -> None:
    with PrivateDaemon(counting) as subject:
        for name, n in (("disks", 0), ("kitchen-sink", 1)):
            done = subject.define(scenario(name).xml(n))
            assert done.error is None
            assert done.lookups == by_law("define", done.xml)
        xml = scenario("disks").xml(2)
        assert subject.run("attach", xml).lookups == 4
        assert subject.run("domcapabilities", xml).lookups == 1
        if counting == "interposer":
            assert [cost.lookups for cost in subject.costs("define", xml, [False, True])] == [16, 1]
            start = subject.run("start", xml)
            assert (start.lookups, start.forks) == (1, 1)


def test_a_running_daemon_is_counted_and_left_as_it_was(running: str) -> None:
    log = AdminLog(running)
    before = log.settings()
    with RunningDaemon(running) as subject:
        assert log.settings() != before
        for task in (
            "define",
            "redefine",
            "undefine",
            "attach",
            "detach",
            "dumpxml",
            "dumpxml-cpu",
            "xmlToNative",
        ):
            done = subject.run(task, scenario("disks").xml(3))
            assert done.error is None
            assert done.lookups == by_law(task, done.xml), task
    assert log.settings() == before


def test_it_is_given_only_names_that_nobody_has(running: str) -> None:
    with RunningDaemon(running) as subject:
        first = subject.define(scenario("disks").xml(0)).xml or ""
        with pytest.raises(LiveError, match="cannot be told from others"):
            subject.run("domcapabilities", scenario("disks").xml(0))
    with RunningDaemon(running) as subject:
        second = subject.define(scenario("disks").xml(0)).xml or ""
    names = [text[text.index("<name>") : text.index("</uuid>")] for text in (first, second)]
    assert "<name>qcaps-" in names[0]
    assert names[0] != names[1]


@pytest.mark.parametrize("counting", ["log", "uprobes"])
def test_what_others_do_meanwhile_does_not_count(running: str, counting: Counting) -> None:
    with RunningDaemon(running) as busy, RunningDaemon(running, counting=counting) as subject:
        done = threading.Event()
        rounds = 0

        def disturb() -> None:
            nonlocal rounds
            while not done.is_set():
                busy.define(scenario("mixed").xml(8))
                rounds += 1

        thread = threading.Thread(target=disturb)
        thread.start()
        costs = subject.costs("define", scenario("disks").xml(4), [False] * 10)
        done.set()
        thread.join()
    assert rounds > 0
    assert [cost.lookups for cost in costs] == [20] * 10


def test_its_log_is_put_back_when_we_are_killed(running: str) -> None:
    log = AdminLog(running)
    before, there = log.settings(), left_over()
    code = """
import sys
from qcaps.live.host.daemon import RunningDaemon
with RunningDaemon(sys.argv[1]):
    print("on", flush=True)
    sys.stdin.read()
"""
    with subprocess.Popen(
        [sys.executable, "-c", code, running], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as ours:
        assert ours.stdout is not None
        assert ours.stdout.readline() == b"on\n"
        assert log.settings() != before
        ours.send_signal(signal.SIGKILL)
        ours.wait()
        end = time.monotonic() + 10
        while log.settings() != before or left_over() - there:
            assert time.monotonic() < end, "the log's settings were not put back"
            time.sleep(0.05)


def test_one_that_ends_leaves_another_counting(running: str) -> None:
    log = AdminLog(running)
    before = log.settings()
    with RunningDaemon(running) as first:
        with RunningDaemon(running) as second:
            assert (first.others, second.others) == (0, 1)
            assert second.define(scenario("disks").xml(2)).lookups == 16
            assert first.define(scenario("disks").xml(2)).lookups == 16
            assert first.others == 1  # it learns of who came later
        assert first.define(scenario("disks").xml(2)).lookups == 16
        assert sum(first.activity().values()) >= 48
    assert log.settings() == before


def test_an_administrators_change_stays_and_one_that_takes_the_log_away_is_said(running: str) -> None:
    log = AdminLog(running)
    before = log.settings()
    try:
        with RunningDaemon(running) as subject:
            now = log.settings()
            log.set(LogSettings(f"{now.filters} 3:event", f"{now.outputs} 4:stderr"))
            assert subject.define(scenario("disks").xml(2)).lookups == 16
        assert log.settings() == LogSettings(f"{before.filters} 3:event", f"{before.outputs} 4:stderr")
        with RunningDaemon(running) as subject:
            log.set(before)
            with pytest.raises(LiveError, match="somebody changed the daemon's log settings"):
                subject.define(scenario("disks").xml(2))
            with pytest.raises(LiveError, match="somebody changed the daemon's log settings"):
                subject.activity()
        assert log.settings() == before
    finally:
        log.set(before)


@pytest.mark.parametrize("whom", ["worker", "both"])
def test_what_the_killed_left_is_put_back_at_the_latest_by_the_next(running: str, whom: str) -> None:
    """Our worker alone, and both of us together, so that nobody is there to put anything back."""
    log = AdminLog(running)
    before, there = log.settings(), left_over()
    code = """
import sys
from qcaps.live.host.daemon import RunningDaemon
with RunningDaemon(sys.argv[1]) as subject:
    print(subject._process.pid, flush=True)
    sys.stdin.read()
"""
    command = [sys.executable, "-c", code, running]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as ours:
        assert ours.stdout is not None
        worker = int(ours.stdout.readline())
        assert log.settings() != before
        if whom == "both":
            ours.send_signal(signal.SIGSTOP)
        os.kill(worker, signal.SIGKILL)
        if whom == "both":
            ours.send_signal(signal.SIGKILL)
    if whom == "both":
        assert log.settings() != before
        with RunningDaemon(running) as subject:
            assert subject.others == 0
            assert subject.define(scenario("disks").xml(2)).lookups == 16
    assert log.settings() == before
    assert left_over() == there


def test_watch_ends_when_the_daemon_does(capsys: pytest.CaptureFixture[str]) -> None:
    with daemon() as (uri, process):
        log = AdminLog(uri)

        def kill() -> None:
            while "debug.log" not in log.settings().outputs:
                time.sleep(0.05)
            time.sleep(1.5)
            process.kill()

        thread = threading.Thread(target=kill)
        thread.start()
        assert main(["live", "watch", uri, "--yes", "--interval", "0.2", "--seconds", "60"]) == 1
        thread.join()
    printed = capsys.readouterr()
    assert printed.out.startswith("0.0 lookups/s")
    assert "connection was lost" in printed.err


def left_over() -> set[str]:
    return {path.name for path in Path(tempfile.gettempdir()).glob("qcaps-live-*")}


def test_a_daemon_that_goes_away_is_said() -> None:
    with daemon() as (uri, process), RunningDaemon(uri) as subject:
        subject.define(scenario("disks").xml(0))
        process.kill()
        process.wait()
        with pytest.raises(LibvirtDied, match="connection was lost"):
            subject.define(scenario("disks").xml(0))


def test_the_command_counts_a_running_daemon_only_with_yes(
    running: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["live", "count", "-n", "2", "--uri", running]) == 2
    assert "--yes" in capsys.readouterr().err
    assert main(["live", "count", "-n", "2", "--uri", running, "--yes"]) == 0
    assert "counted by the log" in capsys.readouterr().out


def test_a_daemon_that_runs_is_a_subject_with_stock_alone(
    running: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    subject = f"libvirt:{running}"
    asked = ["run", "disks", "-n", "2", "--subject", subject, "--yes", "--pairs", "4", "--processes", "1"]
    assert main([*asked, "--output", str(tmp_path / "out"), "--json"]) == 0
    (one,) = results_file.read(tmp_path / "out" / "results.json").measured
    assert (one.cell.subject, one.cell.policy, one.counts.lookups) == (subject, "stock", 16)
    assert one.runs[0].facts["counted_by"] == "log"
    capsys.readouterr()
    assert main([*asked, "--policy", "once", "--output", str(tmp_path / "no")]) == 2
    assert "does none of what is asked" in capsys.readouterr().err


def test_watch_says_what_a_busy_daemon_looks_up(running: str, capsys: pytest.CaptureFixture[str]) -> None:
    log = AdminLog(running)
    before = log.settings()
    begun, done = threading.Event(), threading.Event()

    def work() -> None:
        with RunningDaemon(running) as busy:
            while not done.is_set():
                busy.define(scenario("disks").xml(2))
                begun.set()

    thread = threading.Thread(target=work)
    assert main(["live", "watch", running, "--interval", "0.2"]) == 2
    assert "--yes" in capsys.readouterr().err
    thread.start()
    assert begun.wait(30)
    assert main(["live", "watch", running, "--yes", "--interval", "0.3", "--seconds", "0.8", "--json"]) == 0
    done.set()
    thread.join()
    seen = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert 2 <= len(seen) <= 3  # asking takes its time on a busy machine
    assert all(one["schema"] == "qcaps/live-watch/1" and one["seconds"] > 0 for one in seen)
    assert sum(one["lookups"].get("define", 0) for one in seen) >= 16
    assert log.settings() == before


def test_nobody_listens() -> None:
    with pytest.raises(LiveError, match="nowhere"):
        RunningDaemon("qemu+unix:///system?socket=/nowhere/libvirt-sock")


def test_a_prefix_without_a_daemon_is_named(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "libvirt_driver_qemu.so").write_text("")
    (tmp_path / "src" / "libvirt.so.0.9000.0").write_text("")
    (tmp_path / "src" / "libvirt.so.0").symlink_to("libvirt.so.0.9000.0")
    with pytest.raises(NoLibvirt, match="no libvirtd or virtqemud"):
        PrivateDaemon("none", tmp_path)


@pytest.fixture(scope="module")
def tracefs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("tracefs")
    subprocess.run(["mount", "-t", "tracefs", "tracefs", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def probes_in(tracefs: Path) -> list[str]:
    """Names of ours in the kernel's list of probes."""
    return [line for line in (tracefs / "uprobe_events").read_text().splitlines() if "qcaps_" in line]


def test_log_and_uprobes_agree_on_a_running_daemon_and_leave_nothing(running: str, tracefs: Path) -> None:
    log = AdminLog(running)
    before = log.settings()
    tasks = ("define", "redefine", "undefine", "attach", "detach", "update", "dumpxml-cpu", "xmlToNative")
    cells = [(task, scenario(name).xml(3)) for task in tasks for name in ("disks", "mixed")]
    with RunningDaemon(running) as logged:
        by_log = [logged.run(task, xml) for task, xml in cells]
    with RunningDaemon(running, counting="uprobes") as probed:
        assert probed.counted_by == "uprobes"
        assert log.settings() == before
        assert probes_in(tracefs)
        by_probes = [probed.run(task, xml) for task, xml in cells]
    assert [done.error for done in by_log + by_probes] == [None] * 2 * len(cells)
    assert [done.lookups for done in by_probes] == [done.lookups for done in by_log]
    assert [done.lookups for done in by_probes] == [
        by_law(task, done.xml) for (task, _), done in zip(cells, by_probes, strict=True)
    ]
    assert probes_in(tracefs) == []


def copied_installation(folder: Path) -> Path:
    """A prefix with the same files as the system's libvirt, which are others."""
    found = find()
    drivers = folder / "lib" / "x" / "libvirt" / "connection-driver"
    drivers.mkdir(parents=True)
    shutil.copy(found.driver, drivers / found.driver.name)
    library = found.library.resolve()
    shutil.copy(library, folder / "lib" / "x" / library.name)
    (folder / "lib" / "x" / found.library.name).symlink_to(library.name)
    return folder


@pytest.mark.parametrize("command", [["count", "-n", "0", "--uri"], ["watch", "--seconds", "1"]])
def test_probes_on_files_that_the_daemon_does_not_use_are_refused(
    running: str, tmp_path: Path, tracefs: Path, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    other = copied_installation(tmp_path)
    uprobes = ["--yes", "--counting", "uprobes", "--libvirt", str(other)]
    assert main(["live", *command, running, *uprobes]) == 1
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "own libvirt" not in line]
    assert f"not {find(other).library.resolve()}, whose functions would be probed" in line
    assert f"uses {find().library.resolve()}" in line
    assert probes_in(tracefs) == []


def test_a_daemon_that_does_not_start_says_why_itself(tmp_path: Path) -> None:
    prefix = copied_installation(tmp_path)
    (prefix / "sbin").mkdir()
    said = "2026-01-02 03:04:05.678+0000: 42: error : virThing:7 : internal error: no such thing: here"
    for script, reason in (
        (f"echo '{said}' >&2; echo bye >&2; exit 3", "status 3: internal error: no such thing: here"),
        ("echo only words >&2; exit 1", "status 1: only words"),
        ("exit 6", "status 6 and said nothing"),
    ):
        (prefix / "sbin/libvirtd").write_text(f"#!/bin/sh\n{script}\n")
        (prefix / "sbin/libvirtd").chmod(0o755)
        with pytest.raises(LiveError, match="ended at once") as raised:
            PrivateDaemon("none", prefix)
        assert str(raised.value).endswith(reason)


def test_a_daemon_with_folders_of_its_own_works_and_stays_private() -> None:
    """The system's files with other folders built in, as long by name: /etc is /q/e, /var is /q/v."""
    prefix = Path("/q")
    if prefix.exists():
        pytest.skip("/q is taken")
    try:
        copied_installation(prefix)
        (prefix / "sbin").mkdir()
        shutil.copy("/usr/sbin/libvirtd", prefix / "sbin/libvirtd")
        shutil.copytree("/usr/share/libvirt", prefix / "share/libvirt")
        for path in prefix.rglob("*"):
            if path.is_file() and not path.is_symlink() and path.suffix != ".xml":
                data = path.read_bytes().replace(b"/etc/", b"/q/e/").replace(b"/var/", b"/q/v/")
                path.write_bytes(data)
        found = find(prefix)
        assert (found.settings, found.state) == (prefix / "e", prefix / "v")
        before = sorted(prefix.rglob("*"))
        with PrivateDaemon("interposer", prefix) as subject:
            assert subject.define(scenario("disks").xml(1)).lookups == 14
            start = subject.run("start", scenario("disks").xml(1))
            assert (start.error, start.lookups) == (None, 1)
        assert sorted(prefix.rglob("*")) == before
    finally:
        shutil.rmtree(prefix, ignore_errors=True)


def test_client_tools_come_from_the_prefix_with_its_library(
    running: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prefix = copied_installation(tmp_path)
    (prefix / "bin").mkdir()
    tool, own = prefix / "bin/virt-admin", shutil.which("virt-admin")
    tool.write_text(f'#!/bin/sh\necho "$LD_LIBRARY_PATH" >>{tmp_path}/asked\nexec {own} "$@"\n')
    tool.chmod(0o755)
    with RunningDaemon(running, prefix, "log") as subject:
        assert subject.define(scenario("disks").xml(0)).lookups == 12
    assert set((tmp_path / "asked").read_text().split()) == {str(prefix / "lib/x")}
    tool.unlink()  # then the system's, with the system's library
    (tmp_path / "path").mkdir()
    other = tmp_path / "path/virt-admin"
    other.write_text(f'#!/bin/sh\necho "=$LD_LIBRARY_PATH=" >>{tmp_path}/asked\nexec {own} "$@"\n')
    other.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/path:{os.environ['PATH']}")
    with RunningDaemon(running, prefix, "log") as subject:
        assert subject.define(scenario("disks").xml(0)).lookups == 12
    assert "==" in (tmp_path / "asked").read_text()


def test_a_replaced_file_is_another_one(tmp_path: Path) -> None:
    driver = tmp_path / "libvirt_driver_qemu.so"
    driver.write_bytes(b"\0" * 4096)
    code = (
        "import mmap, sys, time; file = open(sys.argv[1], 'rb');"
        " kept = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ); print('in', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(driver)], stdout=subprocess.PIPE) as user:
        try:
            assert user.stdout is not None
            assert user.stdout.readline() == b"in\n"
            check_process(user.pid, Path("/not/mapped"), driver, "qemu:///system")
            (tmp_path / "new").write_bytes(b"\0" * 4096)
            (tmp_path / "new").rename(driver)
            with pytest.raises(LiveError, match="restart the daemon: its file was replaced"):
                check_process(user.pid, Path("/not/mapped"), driver, "qemu:///system")
        finally:
            user.kill()


def test_probes_of_a_killed_one_are_swept(running: str, tracefs: Path) -> None:
    code = (
        "import time; from qcaps.live.host.installation import find;"
        " from qcaps.live.counting.uprobes import Uprobes; one = find();"
        " Uprobes(one.library, one.driver); print('in', flush=True); time.sleep(60)"
    )
    killed = subprocess.Popen(
        ["unshare", "--mount", "--propagation", "private", sys.executable, "-c", code], stdout=subprocess.PIPE
    )
    assert killed.stdout is not None
    assert killed.stdout.readline() == b"in\n"
    killed.kill()
    killed.wait()
    assert probes_in(tracefs)
    with RunningDaemon(running, counting="uprobes") as subject:
        assert subject.define(scenario("disks").xml(0)).lookups == 12
    assert probes_in(tracefs) == []


def test_probes_go_when_their_user_is_killed(running: str, tracefs: Path) -> None:
    code = (
        "import sys; from qcaps.live.host.daemon import RunningDaemon;"
        " one = RunningDaemon(sys.argv[1], counting='uprobes'); print('in', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, running], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as ours:
        assert ours.stdout is not None
        assert ours.stdout.readline() == b"in\n"
        assert probes_in(tracefs)
        ours.send_signal(signal.SIGKILL)
        ours.wait()
        end = time.monotonic() + 10
        while probes_in(tracefs):
            assert time.monotonic() < end, "the probes were not removed"
            time.sleep(0.05)


def test_a_killed_worker_leaves_others_traces_alone(running: str, tracefs: Path) -> None:
    foreign = tracefs / "instances" / "somebody_elses"
    foreign.mkdir()
    try:
        with RunningDaemon(running, counting="uprobes") as subject:
            subject.define(scenario("disks").xml(0))
            subject._process.kill()
        assert foreign.is_dir()
        with RunningDaemon(running, counting="uprobes") as subject:
            assert subject.define(scenario("disks").xml(0)).lookups == 12
    finally:
        foreign.rmdir()
    assert probes_in(tracefs) == []


def test_without_an_admin_socket_uprobes_are_taken_and_it_is_said(
    running: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qcaps.live.counting.adminlog.shutil.which", lambda _name: None)  # no virt-admin
    with RunningDaemon(running) as subject:
        assert subject.counted_by == "uprobes"
        assert "virt-admin" in subject.fallback
        assert subject.define(scenario("disks").xml(0)).lookups == 12


def test_watch_by_uprobes_names_the_tasks(running: str, capsys: pytest.CaptureFixture[str]) -> None:
    with RunningDaemon(running) as busy:
        busy.define(scenario("disks").xml(0))
        done = threading.Event()

        def define() -> None:
            while not done.is_set():
                busy.define(scenario("disks").xml(2))

        thread = threading.Thread(target=define)
        thread.start()
        try:
            arguments = ["live", "watch", running, "--yes", "--json", "--counting", "uprobes"]
            assert main([*arguments, "--interval", "0.5", "--seconds", "1.5"]) == 0
        finally:
            done.set()
            thread.join()
    rows = [json.loads(line)["lookups"] for line in capsys.readouterr().out.splitlines()]
    assert any(row.get("define", 0) >= 16 for row in rows)
