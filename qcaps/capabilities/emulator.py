"""A QEMU of our own for the length of a probe, which never outlives it.

QEMU is the child of a guard of ours (`qcaps.child.guarded`), in a session of its own, and talks QMP over an
inherited socket pair: there is no socket, pid file or directory to leave behind. When the block ends, however
it ends, and when we die first, the guard kills whatever runs below it.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from qcaps.child import guarded

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager

_KEPT_OUTPUT: Final = 4096
_DYING_SECONDS: Final = 1.0
_KILLING_SECONDS: Final = 5.0
_ENVIRONMENT: Final = ("PATH", "LD_LIBRARY_PATH", "LD_PRELOAD", "HOME", "USER", "LOGNAME", "TMPDIR")


@dataclass
class Emulator:
    """A running QEMU; `monitor` is our end of its QMP connection."""

    process: subprocess.Popen[bytes]
    monitor: socket.socket
    output: bytes = b""

    def drain(self) -> None:
        """Take what QEMU has printed, without waiting; only the end of it is kept."""
        assert self.process.stdout is not None
        with suppress(BlockingIOError):
            while chunk := os.read(self.process.stdout.fileno(), 1 << 16):
                self.output = (self.output + chunk)[-_KEPT_OUTPUT:]
                if len(chunk) < 1 << 16:
                    return
            with suppress(RuntimeError):  # no event loop runs any more
                asyncio.get_running_loop().remove_reader(self.process.stdout.fileno())

    def last_line(self) -> str:
        """The last line QEMU printed, "" if it printed nothing."""
        self.drain()
        lines = self.output.decode(errors="replace").splitlines()
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    def how_it_ended(self) -> str | None:
        """How QEMU ended, with its last line, or None if it still runs after a moment to die in."""
        try:
            status = self.process.wait(_DYING_SECONDS)
        except subprocess.TimeoutExpired:
            return None
        how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
        said = self.last_line()
        return f"{how}: {said}" if said else f"{how} and said nothing"


def running(binary: str, accelerator: str) -> AbstractContextManager[Emulator]:
    """Start `binary` without devices and with the accelerator given as for `-machine accel=`.

    Raises OSError if it cannot be executed. To be used inside a running event loop.
    """
    machine = f"none,accel={accelerator}"
    return running_command(
        (binary, "-S", "-no-user-config", "-nodefaults", "-nographic", "-machine", machine)
    )


@contextmanager
def running_command(command: Sequence[str]) -> Iterator[Emulator]:
    """Start QEMU with `command` and a monitor of ours; else as `running`."""
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            process = _start(command, theirs)
        emulator = Emulator(process, ours)
        try:
            assert process.stdout is not None
            os.set_blocking(process.stdout.fileno(), False)
            asyncio.get_running_loop().add_reader(process.stdout.fileno(), emulator.drain)
            yield emulator
        finally:
            _end(emulator)


def _start(command: Sequence[str], monitor: socket.socket) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [
            *command,
            "-chardev",
            f"socket,id=qmp,fd={monitor.fileno()}",
            "-mon",
            "chardev=qmp,mode=control",
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        pass_fds=(monitor.fileno(),),
        env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ} | {"LC_ALL": "C"},
        start_new_session=True,
        preexec_fn=guarded(os.getpid()),  # noqa: PLW1509 - the kernel offers no other place to ask for it
    )


def _end(emulator: Emulator) -> None:
    """Kill QEMU and all it began, and give back its pipe."""
    process = emulator.process
    assert process.stdout is not None
    asyncio.get_running_loop().remove_reader(process.stdout.fileno())
    process.terminate()  # its guard, which kills all that is below it
    try:
        process.wait(_KILLING_SECONDS)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    process.stdout.close()
