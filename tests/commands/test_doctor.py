"""The doctor's findings on the machine that runs the tests, checked against what the machine says itself."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from qcaps import commands
from qcaps.measure import machine

if TYPE_CHECKING:
    from pathlib import Path


def findings(capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, object]]:
    assert commands.main(["doctor", "--json"]) == 0
    return {one["name"]: one for one in json.loads(capsys.readouterr().out)["findings"]}


def test_findings_agree_with_the_machine(capsys: pytest.CaptureFixture[str]) -> None:
    found = findings(capsys)
    assert str(found["cpus"]["text"]).startswith(f"{len(os.sched_getaffinity(0))} of {os.cpu_count()}")
    assert found["kvm"]["ok"] == os.access("/dev/kvm", os.R_OK | os.W_OK)
    assert found["qemu"]["ok"] == any(
        shutil.which(f"qemu-system-{arch}") for arch in ("x86_64", "i386", "s390x", "aarch64", "arm")
    )
    for name, finding in found.items():
        if finding["advice"]:
            assert not finding["ok"], name


def test_qemu_is_found_on_path(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    before = findings(capsys)["qemu"]
    assert (before["ok"], "apt-get install" in str(before["advice"])) == (False, True)
    binary = tmp_path / "qemu-system-x86_64"
    binary.touch(mode=0o755)
    (tmp_path / "qemu-system-arm").touch(mode=0o644)
    assert findings(capsys)["qemu"]["text"] == str(binary)


def test_lines_say_what_to_do(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    assert commands.main(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    place = next(index for index, line in enumerate(lines) if line.startswith("warn qemu  "))
    assert (
        lines[place + 1].strip().startswith("-> apt-get install -y --no-install-recommends qemu-system-x86")
    )


def test_spread_of_known_blocks() -> None:
    assert machine.spread([1.0, 1.0, 1.0, 1.0]) == (0.0, 0.0)
    mad, drift = machine.spread([0.9, 1.0, 1.1, 0.9, 1.0, 1.1, 2.0, 2.0])
    assert mad == pytest.approx(100 * 0.10 / 1.05)
    assert drift == pytest.approx(100 * (1.55 - 0.95) / 1.05)


def test_a_fork_takes_time_and_leaves_no_child() -> None:
    assert machine.fork_cost_us() > 1
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_blocks_are_equal_work() -> None:
    blocks = machine.time_blocks(count=6)
    assert len(blocks) == 6
    assert all(block > 0 for block in blocks)


@pytest.mark.root
def test_a_folder_on_the_path_that_may_not_be_read_is_passed_over(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    script = (
        "import os, sys; os.setgroups([]); os.setresgid(65534, 65534, 65534);"
        "os.setresuid(65534, 65534, 65534);"
        f"os.environ['PATH'] = {str(closed)!r};"
        "from qcaps.commands.doctor.this_machine import _qemu; print(_qemu().name)"
    )
    # imported before the identity is dropped: the interpreter itself may lie in a folder closed to others
    done = subprocess.run(
        [sys.executable, "-c", "import qcaps.commands.doctor.this_machine;" + script],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("qemu\n", "")
