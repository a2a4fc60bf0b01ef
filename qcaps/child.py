"""Processes that are not to outlive the one that started them."""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import select
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_CHILD_SUBREAPER: Final = 36
_KILLING_SECONDS: Final = 2.0
_LOOK_SECONDS: Final = 1.0
_MOST_SAID: Final = 1 << 16
"""Bytes: a build may speak without end."""
_LIBC = ctypes.CDLL(None, use_errno=True)


def dies_with(parent: int) -> Callable[[], None]:
    """A `preexec_fn`: the child asks to be killed when `parent` dies, however that comes about.

    The kernel means the thread that started the child, so start it from one that lasts as long.
    """

    def ask() -> None:
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before we asked
            os._exit(errno.ECHILD)

    return ask


def guarded(parent: int) -> Callable[[], None]:
    """A `preexec_fn`: a guard stands between `parent` and what is executed, and ends as it does.

    Whatever is begun below the guard dies with it, whichever session or group it went to: it ends when the
    program does, when it is sent SIGTERM, and when `parent` dies (see `dies_with`).
    """

    def stand_between() -> None:
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)  # what loses its parent becomes ours, not init's
        waited_for = (signal.SIGTERM, signal.SIGCHLD)
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, waited_for)
        guard = os.getpid()
        program = os.fork()
        if program == 0:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            dies_with(guard)()
            return
        try:
            _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
            if os.getppid() != parent:
                _kill_all_below(program)
            os.closerange(0, os.sysconf("SC_OPEN_MAX"))
            while (ended := os.waitpid(program, os.WNOHANG)) == (0, 0):
                if signal.sigwait(waited_for) == signal.SIGTERM:
                    break
            status = _kill_all_below(program) if ended == (0, 0) else ended[1]
            _kill_all_below()
            _end_as(status)
        finally:
            os._exit(errno.ECHILD)

    return stand_between


def run_guarded(
    command: list[str],
    environment: dict[str, str],
    most_seconds: float,
    *,
    folder: Path | None = None,
    look: Callable[[str], None] = lambda _said: None,
) -> tuple[int, str]:
    """The status of a command and the last of what it said; however we leave, nothing it began runs on.

    It runs in `folder`. About once a second `look` is told the last of what was said, and may raise, which
    ends the command. Raises OSError, and subprocess.TimeoutExpired with what was said.
    """
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment,
        cwd=folder,
        start_new_session=True,
        preexec_fn=guarded(os.getpid()),  # noqa: PLW1509  # the kernel offers no other place to ask for it
    )
    said, ends = bytearray(), time.monotonic() + most_seconds
    with process:
        try:
            for chunk in _chunks(process, ends):
                said += chunk
                del said[:-_MOST_SAID]
                look(said.decode(errors="replace"))
            process.wait(max(ends - time.monotonic(), 0.1))
        except BaseException as error:
            process.terminate()
            if isinstance(error, subprocess.TimeoutExpired):
                raise subprocess.TimeoutExpired(
                    command, most_seconds, said.decode(errors="replace")
                ) from None
            raise
    return process.returncode, said.decode(errors="replace")


def _chunks(process: subprocess.Popen[bytes], ends: float) -> Iterator[bytes]:
    """What a process says until it ends, gathered for about a second; nothing where it said nothing."""
    assert process.stdout is not None
    pipe = process.stdout.fileno()
    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    while (left := ends - time.monotonic()) > 0:
        gathered, until = bytearray(), time.monotonic() + min(_LOOK_SECONDS, left)
        while (wait := until - time.monotonic()) > 0 and poll.poll(1000 * wait):
            chunk = os.read(pipe, _MOST_SAID)
            if not chunk:
                yield bytes(gathered)
                return
            gathered += chunk
            del gathered[:-_MOST_SAID]
        yield bytes(gathered)
    raise subprocess.TimeoutExpired(process.args, 0)


def _kill_all_below(program: int = 0) -> int:
    """Kill every child until there is none: the children of each become ours. The status of `program`."""
    status = signal.SIGKILL.value
    gives_up = time.monotonic() + _KILLING_SECONDS
    while time.monotonic() < gives_up:
        for child in _children():
            with suppress(OSError):  # it belongs to another user, or is gone
                os.kill(child, signal.SIGKILL)
        try:
            ended = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            break
        if ended[0] == program:
            status = ended[1]
        if ended == (0, 0):
            time.sleep(0.001)
    return status


def _children() -> Iterator[int]:
    own = os.getpid()
    for process in os.listdir("/proc"):  # noqa: PTH208  # names, no paths
        with suppress(OSError, ValueError, IndexError):
            if int(Path(f"/proc/{int(process)}/stat").read_text().rpartition(")")[2].split()[1]) == own:
                yield int(process)


def _end_as(status: int) -> NoReturn:
    """End with what `waitpid` said of another, a signal included."""
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if -code not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(-code, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (-code,))
        os.kill(os.getpid(), -code)
    os._exit(code)


def _prctl(option: int, value: int) -> None:
    if _LIBC.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
