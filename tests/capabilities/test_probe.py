"""The probe: of real QEMUs, and of programs that only pretend to be one."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from qcaps.capabilities import cachefile, probe, recording
from qcaps.capabilities.answers import AnswerError, Recording
from qcaps.capabilities.interpretation import capabilities_from
from qcaps.capabilities.probe import ProbeError
from qcaps.capabilities.snapshots import names, snapshot
from qcaps.commands import main
from qcaps.release import R9_0

GREETING = (
    b'{"QMP": {"version": {"qemu": {"micro": 0, "minor": 2, "major": 7}, "package": ""}, '
    b'"capabilities": []}}\n'
)
QUICK = 0.4
FakeMaker = Callable[[str], Path]


def real(arch: str) -> Path:
    path = Path(f"/usr/bin/qemu-system-{arch}")
    if not path.exists():
        if os.environ.get("QCAPS_CI"):
            pytest.fail(f"{path} is not installed")
        pytest.skip(f"{path} is not installed")
    return path


@pytest.fixture
def make(tmp_path: Path) -> FakeMaker:
    """A maker of Python programs that find the number of their QMP socket in `fd`, and leave their PID."""

    def program(body: str) -> Path:
        path = tmp_path / "fake"
        path.write_text(
            f"#!{sys.executable} -S\n"
            "import os, re, sys, time\n"
            "fd = int(re.search(r'fd=(\\d+)', ' '.join(sys.argv)).group(1))\n"
            f"open({str(tmp_path / 'pid')!r}, 'a').write(str(os.getpid()) + '\\n')\n"
            f"{body}\n"
        )
        path.chmod(0o755)
        return path

    return program


def is_gone(pid: int, within: float = 5.0) -> bool:
    """Whether the process is gone, or goes soon: one that is not our child is reaped by another."""
    ends = time.monotonic() + within
    while time.monotonic() < ends:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z" and Path(f"/proc/{pid}/stat").read_text().split()[3] != str(os.getpid()):
            return True
        time.sleep(0.01)
    return False


def pids(tmp_path: Path) -> list[int]:
    return [int(line) for line in (tmp_path / "pid").read_text().split()]


@pytest.fixture
def clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty directory for temporary files."""
    directory = tmp_path / "temporary"
    directory.mkdir()
    monkeypatch.setenv("TMPDIR", str(directory))
    return directory


DIES = "sys.stderr.write('first\\ncannot frob the knob\\n'); sys.exit(3)"
HANGS = "time.sleep(1000)"
FLOODS = "\nwhile True: print('y' * 65536)"
GARBAGE = "os.write(fd, b'\\x00\\xff garbage\\n'); time.sleep(1000)"
HALF_A_LINE = 'os.write(fd, b\'{"QMP": {"vers\'); sys.exit(0)'
HALF_A_LINE_AND_HANGS = 'os.write(fd, b\'{"QMP": {"vers\'); time.sleep(1000)'
NO_OBJECT = "os.write(fd, b'[1, 2, 3]\\n'); time.sleep(1000)"
GREETS_AND_HANGS = f"os.write(fd, {GREETING!r}); time.sleep(1000)"
GREETS_AND_DIES = f"os.write(fd, {GREETING!r}); os.read(fd, 9); os.kill(os.getpid(), 11)"
HAS_A_CHILD = (
    "child = os.fork()\nif child == 0: time.sleep(1000)\n"
    "open(sys.argv[0][:-4] + 'pid', 'a').write(str(child) + '\\n'); time.sleep(1000)"
)

HAS_LEFT_ITS_CHILD = (
    "if os.fork() == 0:\n"
    "    os.setsid()\n"
    "    if os.fork() == 0:\n"
    "        os.setsid()\n"
    "        open(sys.argv[0][:-4] + 'pid', 'a').write(str(os.getpid()) + '\\n')\n"
    "        time.sleep(1000)\n"
    "    os._exit(0)\n"
    "os.wait(); time.sleep(0.1)\n"
)
GREETS = f"os.write(fd, {GREETING!r}); os.read(fd, 99)\n"
DEEP = GREETS + "os.write(fd, b'[' * 5000 + b']' * 5000 + b'\\n'); time.sleep(1000)"
LONG_NUMBER = GREETS + "os.write(fd, b'{\"return\": ' + b'9' * 5000 + b'}\\n'); time.sleep(1000)"
EVENTS = GREETS + "os.write(fd, b'{\"return\": {}}\\n'); os.read(fd, 99)\n"
EVENTS += "while True: os.write(fd, b'{\"event\": \"' + b'e' * 9000 + b'\"}\\n')"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (DIES, r"fake: ended with status 3: cannot frob the knob$"),
        (HANGS, r"fake: did not answer within 0.4 s$"),
        (FLOODS, r"fake: did not answer within 0.4 s; it said: y+ … y+$"),
        (GARBAGE, r"fake: does not speak QMP: "),
        (HALF_A_LINE, r"fake: ended with status 0 and said nothing$"),
        (HALF_A_LINE_AND_HANGS, r"fake: did not answer within 0.4 s$"),
        (NO_OBJECT, r"fake: does not speak QMP: "),
        (GREETS_AND_HANGS, r"fake: did not answer within 0.4 s$"),
        (GREETS_AND_DIES, r"fake: was killed by signal 11 and said nothing$"),
        (HAS_A_CHILD, r"fake: did not answer within 0.4 s$"),
        (HAS_LEFT_ITS_CHILD + "time.sleep(1000)", r"fake: did not answer within 0.4 s$"),
        (HAS_LEFT_ITS_CHILD, r"fake: ended with status 0 and said nothing$"),
        (DEEP, r"fake: does not speak QMP: "),
        (LONG_NUMBER, r"fake: does not speak QMP: "),
    ],
)
def test_a_program_that_is_no_qemu_is_refused_and_nothing_is_left(
    make: FakeMaker, tmp_path: Path, clean: Path, body: str, message: str
) -> None:
    files = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - counts, no paths
    with pytest.raises(ProbeError, match=message) as caught:
        probe.probe(make(body), QUICK)
    assert "\n" not in str(caught.value)
    assert pids(tmp_path)
    assert all(is_gone(pid) for pid in pids(tmp_path))
    assert not list(clean.iterdir())
    assert len(os.listdir("/proc/self/fd")) == files  # noqa: PTH208 - counts, no paths


def test_a_flood_of_events_takes_no_memory(make: FakeMaker, tmp_path: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ProbeError, match=r"fake: did not answer within 2 s$"):
        probe.probe(make(EVENTS), 2)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60_000  # KiB; it was 300 MB
    assert all(is_gone(pid) for pid in pids(tmp_path))


ANSWERS = f"""
import json
os.write(fd, {GREETING!r})
while message := os.read(fd, 65536):
    asked = json.loads(message)
    asked["return"] = replies.get(asked.pop("execute"), {{}})
    os.write(fd, json.dumps(asked).encode() + b'\\n')
"""


NO_MACHINES: dict[str, object] = {"qom-list-types": [], "query-commands": [], "query-machines": []}


@pytest.mark.parametrize(
    ("replies", "message"),
    [
        ({}, r"fake: qom-list-types: expected a list, got dict"),
        ({"qom-list-types": [7]}, r"fake: qom-list-types: expected an object, got int"),
        ({"qom-list-types": [{}]}, r"fake: qom-list-types: expected a string as 'name', got None"),
        (NO_MACHINES, r"fake: query-target: expected a string as 'arch', got None"),
        (NO_MACHINES | {"query-target": []}, r"fake: query-target: expected an object, got list"),
    ],
)
def test_a_program_that_answers_nonsense_is_refused_with_the_command(
    make: FakeMaker, tmp_path: Path, replies: dict[str, object], message: str
) -> None:
    with pytest.raises(AnswerError, match=message):
        probe.probe(make(f"replies = {replies!r}\n{ANSWERS}"), 5)
    assert all(is_gone(pid) for pid in pids(tmp_path))


def test_a_binary_that_cannot_be_started_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProbeError, match=r"missing: no such file"):
        probe.probe(tmp_path / "missing")
    with pytest.raises(ProbeError, match=r": not a file"):
        probe.probe(tmp_path)
    plain = tmp_path / "plain"
    plain.write_bytes(b"\x00\x01")
    with pytest.raises(ProbeError, match=r"plain: not executable by this user"):
        probe.probe(plain)
    plain.chmod(0o755)
    with pytest.raises(ProbeError, match=r"plain: cannot be executed: Exec format error"):
        probe.probe(plain)


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, -15), (signal.SIGKILL, -9)]
)
def test_qemu_does_not_outlive_an_interrupted_probe(
    make: FakeMaker, tmp_path: Path, number: signal.Signals, status: int
) -> None:
    asking = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "qcaps",
            "probe",
            str(make(HAS_LEFT_ITS_CHILD + HANGS)),
            "-o",
            str(tmp_path / "out.xml"),
        ],
        stderr=subprocess.PIPE,
    )
    ends = time.monotonic() + 10
    while not ((tmp_path / "pid").exists() and len(pids(tmp_path)) > 1) and time.monotonic() < ends:
        time.sleep(0.01)
    time.sleep(0.05)
    asking.send_signal(number)
    _, said = asking.communicate(timeout=10)
    assert asking.returncode == status
    assert said.count(b"\n") <= 1
    assert all(is_gone(pid) for pid in pids(tmp_path))
    assert not (tmp_path / "out.xml").exists()


@pytest.mark.qemu
@pytest.mark.parametrize("arch", names())
def test_a_real_qemu_looks_like_the_snapshot_of_its_target(arch: str) -> None:
    found = probe.probe(real("arm" if arch == "armv7l" else arch), release=R9_0)
    recorded = snapshot(arch).capabilities
    assert found.arch == arch
    assert found.version >= 4_002_000
    assert "tcg" in found
    tcg = found.accelerator("qemu")
    then = recorded.accelerator("qemu")
    assert tcg is not None
    assert then is not None
    assert tcg.machines
    assert tcg.machines[0].name.rpartition("-")[0] == then.machines[0].name.rpartition("-")[0]
    if found.version == recorded.version:
        assert found.flags - {"kvm"} == recorded.flags - {"kvm"}
        assert tcg.machines == then.machines
        assert {cpu.name for cpu in tcg.cpus} == {cpu.name for cpu in then.cpus}


@pytest.mark.qemu
def test_a_recorded_conversation_can_be_written_and_interpreted_again(tmp_path: Path) -> None:
    conversation = probe.record(real("s390x"))
    path = tmp_path / "s390x.replies"
    path.write_text(as_stream(conversation))
    assert recording.capabilities(path) == capabilities_from(conversation)


def as_stream(conversation: Recording) -> str:
    lines = []
    for session in conversation:
        lines += ['{"execute": "qmp_capabilities"}', '{"return": {}}']
        for one in session.exchanges:
            lines.append(json.dumps({"execute": one.command, "arguments": dict(one.arguments)}))
            error = {"error": {"class": one.error, "desc": one.reply}}
            lines.append(json.dumps({"return": one.reply} if one.error is None else error))
    return "\n\n".join(lines)


@pytest.mark.qemu
def test_probing_leaves_no_process_and_no_file(clean: Path) -> None:
    binary = real("x86_64")
    probe.probe(binary)
    assert not list(clean.iterdir())
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


@pytest.mark.qemu
@pytest.mark.root
def test_an_unprivileged_user_can_probe() -> None:
    binary = real("s390x")
    if os.geteuid() != 0:
        if os.environ.get("QCAPS_CI"):
            pytest.fail("needs root, to become another user")
        pytest.skip("needs root, to become another user")
    expected = probe.probe(binary)  # also loads every module while we may read them
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            os.chdir("/")
            status = 0 if probe.probe(binary) == expected else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.qemu
def test_the_command_writes_a_cache_file_and_prints_a_summary(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "caps.xml"
    binary = real("s390x")
    assert main(["probe", str(binary), "-o", str(output), "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    entry = cachefile.read(output)
    assert entry.stamps.binary == str(binary)
    assert entry.stamps.binary_ctime == int(binary.stat().st_ctime)
    assert (summary["schema"], summary["arch"]) == ("qcaps/probe/1", "s390x")
    assert summary["flags"] == len(entry.capabilities.flags)
    assert summary["output"] == str(output)
    assert summary["accelerators"]["tcg"]["machines"] == len(entry.capabilities.accelerators[-1].machines)
    assert summary["release"] == "12.8"
    assert main(["probe", binary.name, "--release", "9.0", "-o", str(output)]) == 0
    printed = capsys.readouterr().out
    assert f"binary    {binary}" in printed
    assert "by the table of libvirt 9.0" in printed
    of_9_0 = cachefile.read(output).capabilities
    assert "blockdev-reopen" in of_9_0.flags - entry.capabilities.flags


def test_the_command_refuses_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["probe", str(tmp_path / "missing")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert main(["probe", "/bin/true", "--deadline", "nan"]) == 2
    assert "--deadline: expected seconds" in capsys.readouterr().err
