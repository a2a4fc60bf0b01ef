"""Traces of system calls, read as strace writes them."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from qcaps.live.counting.syscalls import Straced, counted
from qcaps.live.errors import LiveError

if TYPE_CHECKING:
    from pathlib import Path

TRACE = """\
read(3, "openat(", 7) = 7
newfstatat(AT_FDCWD, "/qcaps-begins", 0x7ffe, 0) = -1 ENOENT (No such file or directory)
openat(AT_FDCWD, "/proc/cpuinfo", O_RDONLY) = 9
read(9, "processor", 1024) = 9
--- SIGCHLD {si_signo=SIGCHLD} ---
read(9, "", 1024) = 0
newfstatat(AT_FDCWD, "/qcaps-ends", 0x7ffe, 0) = -1 ENOENT (No such file or directory)
close(9) = 0
"""


def test_only_what_lies_between_the_marks_counts() -> None:
    assert counted(TRACE) == {"read": 2, "openat": 1}


def test_a_window_without_a_call_is_empty() -> None:
    lines = TRACE.splitlines(keepends=True)
    assert counted(lines[1] + lines[6]) == {}


@pytest.mark.parametrize("text", ["", TRACE[: TRACE.index("/qcaps-ends")], TRACE[TRACE.index("openat(AT") :]])
def test_a_trace_without_both_its_ends_is_refused(text: str) -> None:
    with pytest.raises(LiveError, match="begins and ends"):
        counted(text)


@pytest.mark.libvirt
@pytest.mark.root
def test_strace_sees_the_first_call_however_late_it_starts(tmp_path: Path) -> None:
    hog = subprocess.Popen([sys.executable, "-c", "while True: pass"])  # beside us on the one CPU
    allowed = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(hog.pid, {min(allowed)})
        os.sched_setaffinity(0, {min(allowed)})
        for _ in range(10):
            cost = Straced(tmp_path).measure(os.getppid, once=False)()
            assert cost.syscalls == {"getppid": 1}
    finally:
        os.sched_setaffinity(0, allowed)
        hog.kill()
        hog.wait()
