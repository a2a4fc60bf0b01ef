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
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from qcaps.live.shim import Counters, Reading

LOOKUP_FILTER: Final = "1:qemu.qemu_capabilities"
"""What libvirt must log for lookups to be counted."""

CALL_FILTERS: Final = "1:libvirt.domain 1:libvirt.host"
"""What it must log beside them for a lookup to be told whose it is: the calls of its API."""

_LINE: Final = re.compile(rb"^\S+ \S+: (\d+): debug : (\w+):\d+ : ", re.MULTILINE)
"""A line of libvirt's debug log. Groups: the kernel's id of the thread, the function that wrote it."""

_LOOKUP: Final = b"virQEMUCapsCacheLookup"
_OF_CAPABILITIES: Final = b"virQEMUCaps"


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

    def measure(self, call: Callable[[], Any], *, once: bool) -> Callable[[], Cost]:
        """Make the call, and return what says what it cost. An exception of the call's passes through.

        Working that out is put off, since a timed call finds the processor's caches as we leave them.
        """


class Clock:
    """Counts nothing."""

    def measure(self, call: Callable[[], Any], *, once: bool) -> Callable[[], Cost]:
        """Only nanoseconds."""
        _refuse(once=once)
        ns = _timed(call)
        return lambda: Cost(ns)


class Interposer:
    """Counts by the shared library that was loaded before libvirt, here or in a daemon of our own."""

    def __init__(self, counters: Counters, *, in_daemon: bool = False) -> None:
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
    """Counts the lines of a libvirt's debug log; `count` takes the file, and the window in it."""

    def __init__(self, path: Path, count: Callable[[Path, int, int], int]) -> None:
        """Read the file `path`, which libvirt writes."""
        self._path = path
        self._count = count

    def measure(self, call: Callable[[], Any], *, once: bool) -> Callable[[], Cost]:
        """Lookups."""
        _refuse(once=once)
        start = self._path.stat().st_size
        ns = _timed(call)
        end = self._path.stat().st_size
        return lambda: Cost(ns, self._count(self._path, start, end))


def logged_here(path: Path, start: int, end: int) -> int:
    """How many lookups the calling thread has logged in `path` from byte `start` to byte `end`."""
    thread = threading.get_native_id()
    return sum(function == _LOOKUP and by == thread for by, function, _ in _logged(path, start, end))


def logged_by_all(path: Path, start: int, end: int) -> int:
    """How many lookups any thread has logged there."""
    return sum(function == _LOOKUP for _, function, _ in _logged(path, start, end))


def logged_for(tag: str, path: Path, start: int, end: int) -> int:
    """How many lookups were logged there in calls of the API that speak of `tag`.

    A thread of a daemon serves one call after another: a lookup belongs to the last call that it logged.
    """
    ours: dict[int, bool] = {}
    lookups = 0
    for thread, function, text in _logged(path, start, end):
        if function == _LOOKUP:
            lookups += ours.get(thread, False)
        elif not function.startswith(_OF_CAPABILITIES):
            ours[thread] = tag.encode() in text
    return lookups


OTHER: Final = "other"
"""Lookups whose call was made before the log began, or is not logged."""

CALLS: Final = {
    b"virDomainDefineXML": "define",
    b"virDomainDefineXMLFlags": "define",
    b"virDomainCreate": "start",
    b"virDomainCreateWithFlags": "start",
    b"virDomainCreateXML": "createXML",
    b"virDomainAttachDeviceFlags": "attach",
    b"virDomainDetachDeviceFlags": "detach",
    b"virDomainUpdateDeviceFlags": "update",
    b"virDomainGetXMLDesc": "dumpxml",
    b"virConnectDomainXMLToNative": "xmlToNative",
    b"virConnectGetDomainCapabilities": "domcapabilities",
    b"virConnectGetCapabilities": "capabilities",
}
"""Calls of libvirt's API by the task that they are; the others go by their own name."""


class Activity:
    """Follows the log of a daemon that serves many."""

    def __init__(self, path: Path) -> None:
        """Begin at the end of the file `path`."""
        self._path = path
        self._read_to = path.stat().st_size
        self._calls: dict[int, str] = {}

    def lookups(self) -> dict[str, int]:
        """Lookups by task since the last time this was asked."""
        found: dict[str, int] = {}
        size = self._path.stat().st_size
        for thread, function, _ in _logged(self._path, self._read_to, size):
            if function == _LOOKUP:
                task = self._calls.get(thread, OTHER)
                found[task] = found.get(task, 0) + 1
            elif not function.startswith(_OF_CAPABILITIES):
                self._calls[thread] = CALLS.get(function, function.decode())
        self._read_to = size
        return found


def _logged(path: Path, start: int, end: int) -> Iterator[tuple[int, bytes, bytes]]:
    """Thread, function and text of each entry; a text may have more than one line."""
    with path.open("rb") as file:
        file.seek(start)
        entries = file.read(end - start)
    matches = list(_LINE.finditer(entries))
    ends = [*(match.start() for match in matches[1:]), len(entries)]
    for match, its_end in zip(matches, ends, strict=False):  # no entry has no end
        yield int(match[1]), match[2], entries[match.end() : its_end]


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
