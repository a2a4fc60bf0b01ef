"""The system calls of one call of libvirt, by strace, which watches the thread that makes it."""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import signal
import subprocess
import threading
import time
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from qcaps.live.counting.meter import Cost
from qcaps.live.errors import LiveError, NotPermitted

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_BEGIN, _END = "/qcaps-begins", "/qcaps-ends"
"""Asked for at the beginning and at the end of a window, so that they show in the trace; neither is there."""

_CALL: Final = re.compile(r"^(\w+)\(", re.MULTILINE)
_PATIENCE_S: Final = 10.0
_PR_SET_PTRACER, _ANY = 0x59616D61, ctypes.c_ulong(-1)


class Straced:
    """Counts system calls and nothing else; a call takes many times as long."""

    def __init__(self, folder: Path) -> None:
        """Write the trace below `folder`. Raises LiveError without strace."""
        if shutil.which("strace") is None:
            raise LiveError("no strace on PATH, which counts system calls: apt-get install strace")
        self._path = folder / "strace"

    def measure(self, call: Callable[[], Any], *, once: bool) -> Callable[[], Cost]:
        """The system calls of this thread while it makes the call. Raises NotPermitted."""
        assert not once, "system calls are counted of libvirt as it is"
        tracer = self._attach(threading.get_native_id())
        try:
            _show(_BEGIN)
            call()
            _show(_END)
        finally:
            tracer.send_signal(signal.SIGINT)  # it lets go of us first
            tracer.wait()
        text = self._path.read_text(errors="replace")
        return lambda: Cost(0, syscalls=counted(text))

    def _attach(self, thread: int) -> subprocess.Popen[bytes]:
        # Where a process may watch only its children, we let it.
        ctypes.CDLL(None).prctl(_PR_SET_PTRACER, _ANY, 0, 0, 0)
        self._path.write_bytes(b"")
        tracer = subprocess.Popen(
            ["strace", "-qq", "-p", str(thread), "-o", str(self._path)], stderr=subprocess.PIPE
        )
        end = time.monotonic() + _PATIENCE_S
        # Calls are written down a while after the kernel names strace as our tracer; this is such a call.
        while not self._path.stat().st_size:
            if tracer.poll() is not None or time.monotonic() > end:
                tracer.kill()
                said = tracer.communicate()[1].decode(errors="replace").strip().splitlines()
                raise NotPermitted(f"system calls cannot be counted: {said[-1] if said else 'strace hangs'}")
            time.sleep(0.001)
        return tracer


def counted(text: str) -> dict[str, int]:
    """System calls by name between the two marks of a trace, the most frequent first. Raises LiveError."""
    begin, end = text.find(_BEGIN), text.rfind(_END)
    if begin < 0 or end < 0:
        raise LiveError("strace did not write down where the call begins and ends: ask again")
    window = text[text.index("\n", begin) + 1 : text.rindex("\n", 0, end) + 1]
    return dict(Counter(match[1] for match in _CALL.finditer(window)).most_common())


def _show(path: str) -> None:
    with suppress(OSError):
        os.stat(path)  # noqa: PTH116  # one system call
