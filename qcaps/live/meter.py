"""What one call of libvirt cost: a window around it, opened and closed in the process that makes the call.

A meter counts by the interposer, by libvirt's debug log, or not at all. Both ways count only what the calling
thread did, so that a call beside it does not show.
"""

from __future__ import annotations

import re
import threading
import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

from qcaps.live.errors import LiveError

if TYPE_CHECKING:
    import ctypes
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from qcaps.live.shim import Counters, Reading

LOG_FILTER: Final = "1:qemu.qemu_capabilities"
LOOKUP_LINE: Final = re.compile(rb"^\S+ \S+: (\d+): debug : virQEMUCapsCacheLookup:\d+ : Returning caps ")
"""A lookup in libvirt's debug log; group 1 is the kernel's id of the thread that made it."""


@dataclass(frozen=True)
class Cost:
    """One call. What the meter cannot know is None: the log shows neither forks nor sites nor phases.

    `phases` maps a phase to (calls, nanoseconds), `sites` a function of libvirt to lookups.
    """

    ns: int
    lookups: int | None = None
    lookup_ns: int | None = None
    answered: int | None = None
    forks: int | None = None
    sites: Mapping[str, int] = field(default_factory=dict)
    phases: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    def to_plain(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> Cost:
        """The inverse."""
        return cls(**{**plain, "phases": {name: tuple(pair) for name, pair in plain["phases"].items()}})


class Meter(Protocol):
    """A way of counting."""

    def cost(self, call: Callable[[], Any], *, once: bool) -> Cost:
        """Make the call, and say what it cost. An exception of the call's passes through."""


class Clock:
    """Counts nothing."""

    def cost(self, call: Callable[[], Any], *, once: bool) -> Cost:
        """Only nanoseconds."""
        _refuse(once=once)
        return Cost(_timed(call))


class Interposer:
    """Counts by the shared library that was loaded before libvirt."""

    def __init__(self, counters: Counters) -> None:
        """Read these counters."""
        self._counters = counters

    def cost(self, call: Callable[[], Any], *, once: bool) -> Cost:
        """Everything there is to know; with `once`, one lookup a domain parse."""
        thread = threading.get_native_id()
        before = self._counters.of_thread(thread)
        self._counters.set_once(once=once)
        try:
            ns = _timed(call)
        finally:
            self._counters.set_once(once=False)
        return _from_reading(ns, self._counters.of_thread(thread) - before)


class DebugLog:
    """Counts the lines of libvirt's debug log, in this process."""

    def __init__(self, library: ctypes.CDLL, path: Path) -> None:
        """Turn the log on, into the file `path`; `library` is libvirt's."""
        outputs = library.virLogSetOutputs(f"1:file:{path}".encode())
        filters = library.virLogSetFilters(LOG_FILTER.encode())
        if outputs < 0 or filters < 0:
            raise LiveError(f"libvirt does not log to {path}: count with the interposer")
        self._path = path

    def cost(self, call: Callable[[], Any], *, once: bool) -> Cost:
        """Lookups."""
        _refuse(once=once)
        start = self._path.stat().st_size
        ns = _timed(call)
        return Cost(ns, lookups_logged(self._path, start, threading.get_native_id()))


def lookups_logged(path: Path, start: int, thread: int) -> int:
    """How many lookups `thread` has logged in the file `path` since it was `start` bytes long."""
    with path.open("rb") as file:
        file.seek(start)
        matches = (LOOKUP_LINE.match(line) for line in file)
        return sum(match is not None and int(match[1]) == thread for match in matches)


def _timed(call: Callable[[], Any]) -> int:
    start = time.perf_counter_ns()
    call()
    return time.perf_counter_ns() - start


def _refuse(*, once: bool) -> None:
    if once:
        raise LiveError("looking up once takes the interposer: it is not loaded")


def _from_reading(ns: int, reading: Reading) -> Cost:
    return Cost(
        ns, reading.lookups, reading.lookup_ns, reading.answered, reading.forks, reading.sites, reading.phases
    )
