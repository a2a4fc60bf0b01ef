"""Traces of system calls, read as strace writes them."""

from __future__ import annotations

from qcaps.live.syscalls import counted

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


def test_a_trace_that_was_cut_off_counts_nothing() -> None:
    assert counted(TRACE[: TRACE.index("/qcaps-ends")]) == {}
    assert counted("") == {}
