"""What one call of libvirt cost: a window around it, opened and closed in the process that makes the call.

A meter counts by the interposer, by libvirt's debug log, by the kernel's probes, or not at all. All count
only what the call's own thread did, so that a call beside it does not show.
"""

from __future__ import annotations

import threading
import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from qcaps.live.counting.entries import logged
from qcaps.live.errors import LiveError
from qcaps.settling import settle, tick

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from qcaps.live.counting.entries import FunctionEntry
    from qcaps.live.counting.shim import MappedCounters, Reading


@dataclass(frozen=True)
class Cost:
    """One call. What the meter cannot know is None: the log shows neither forks nor sites nor phases.

    `phases` maps a phase to (calls, nanoseconds), `sites` a function of libvirt to lookups. `syscalls` maps a
    system call to how often it was made; known only where these were asked for, and then nothing else is.
    """

    ns: int
    lookups: int | None = None
    lookup_ns: int | None = None
    answered: int | None = None
    forks: int | None = None
    sites: Mapping[str, int] = field(default_factory=dict)
    phases: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    syscalls: Mapping[str, int] = field(default_factory=dict)

    def to_plain(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> Cost:
        """The inverse."""
        return cls(**{**plain, "phases": {name: tuple(pair) for name, pair in plain["phases"].items()}})


class Meter(Protocol):
    """A way of counting."""

    def measure(self, call: Callable[[], Any], *, once: bool) -> Callable[[], Cost]:
        """Make the call, and return what says what it cost. An exception of the call's passes through.

        Working that out is put off, since a timed call finds the processor's caches as we leave them.
        """


class UncountedMeter:
    """Counts nothing."""

    def measure(self, call: Callable[[], Any], *, once: bool) -> Callable[[], Cost]:
        """Only nanoseconds."""
        _refuse(once=once)
        ns = _timed(call)
        return lambda: Cost(ns)


class Interposer:
    """Counts by the shared library that was loaded before libvirt, here or in a daemon of our own."""

    def __init__(self, counters: MappedCounters, *, in_daemon: bool = False) -> None:
        """Read these counters: of the calling thread, or of all where another process makes the lookups."""
        self._counters = counters
        self._in_daemon = in_daemon

    def measure(self, call: Callable[[], Any], *, once: bool) -> Callable[[], Cost]:
        """Everything there is to know; with `once`, one lookup a domain parse."""
        thread = None if self._in_daemon else threading.get_native_id()
        self._counters.set_once(once=once)
        before = self._counters.snapshot(thread)
        try:
            ns = _timed(call)
        finally:
            self._counters.set_once(once=False)
        after = self._counters.snapshot(thread)
        counters = self._counters
        return lambda: _from_reading(ns, counters.reading(after) - counters.reading(before))


class DebugLog:
    """Counts the lines of a libvirt's debug log."""

    def __init__(self, path: Path, count: Callable[[Iterable[FunctionEntry]], int]) -> None:
        """Read the file `path`, which libvirt writes; `count` takes what was logged meanwhile."""
        self._path = path
        self._count = count

    def measure(self, call: Callable[[], Any], *, once: bool) -> Callable[[], Cost]:
        """Lookups."""
        _refuse(once=once)
        start = self._path.stat().st_size
        ns = _timed(call)
        end = self._path.stat().st_size
        return lambda: Cost(ns, self._count(logged(self._path, start, end)))


class Probed:
    """Counts what the kernel's probes saw."""

    def __init__(
        self, take: Callable[[], list[FunctionEntry]], count: Callable[[Iterable[FunctionEntry]], int]
    ) -> None:
        """`take` hands out what was seen since it was last called; `count` takes that."""
        self._take = take
        self._count = count

    def measure(self, call: Callable[[], Any], *, once: bool) -> Callable[[], Cost]:
        """Lookups."""
        _refuse(once=once)
        self._take()
        ns = _timed(call)
        entries = self._take()
        return lambda: Cost(ns, self._count(entries))


def _timed(call: Callable[[], Any]) -> int:
    settle(tick())
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
