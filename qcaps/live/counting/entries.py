"""What libvirt was seen to do: lookups and calls of its API, and which lookup belongs to which call.

Entries come from libvirt's debug log or from the kernel's probes, in the order of time. A thread serves one
call after another, so a lookup belongs to the last call that its thread has made.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from qcaps.live.errors import LiveError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

LOOKUP_FILTER: Final = "1:qemu.qemu_capabilities"
"""What a libvirt of ours must log for lookups to be counted."""

LOOKUP: Final = b"virQEMUCapsCacheLookup"
_OF_CAPABILITIES: Final = b"virQEMUCaps"

_LINE: Final = re.compile(rb"^\S+ \S+: (\d+): debug : (\w+):\d+ : ", re.MULTILINE)
"""A line of libvirt's debug log. Groups: the kernel's id of the thread, the function that wrote it."""

OTHER: Final = "other"
"""Lookups whose call was made before the counting began, or is not seen."""

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


class FunctionEntry(NamedTuple):
    """A function of libvirt's that a thread entered, and what is known of its arguments.

    Where a call is seen to end, an entry without a function stands for it.
    """

    thread: int
    function: bytes
    text: bytes


def of_thread(thread: int, entries: Iterable[FunctionEntry]) -> int:
    """How many lookups that thread made."""
    return sum(one.function == LOOKUP and one.thread == thread for one in entries)


def of_all(entries: Iterable[FunctionEntry]) -> int:
    """How many lookups any thread made."""
    return sum(one.function == LOOKUP for one in entries)


def of_tag(tag: str, entries: Iterable[FunctionEntry]) -> int:
    """How many lookups were made in calls of the API that speak of `tag`."""
    ours: dict[int, bool] = {}
    lookups = 0
    for thread, function, text in entries:
        if function == LOOKUP:
            lookups += ours.get(thread, False)
        elif not function.startswith(_OF_CAPABILITIES):
            ours[thread] = tag.encode() in text
    return lookups


def of_seen_tag(tag: str, entries: Iterable[FunctionEntry]) -> int:
    """Likewise; raises LiveError if no call speaks of it, where each of ours should have been seen."""
    seen = list(entries)
    if not any(tag.encode() in one.text for one in seen):
        raise LiveError(
            "our call was not seen: by uprobes, does the daemon use this libvirt? --libvirt names one; "
            "in its log, has somebody changed what it logs?"
        )
    return of_tag(tag, seen)


class Activity:
    """Lookups of a daemon that serves many; `take` hands out what was seen since it was last called."""

    def __init__(self, take: Callable[[], Iterable[FunctionEntry]]) -> None:
        self._take = take
        self._calls: dict[int, str] = {}

    def lookups(self) -> dict[str, int]:
        """Lookups by task since the last time this was asked."""
        found: dict[str, int] = {}
        for thread, function, _ in self._take():
            if function == LOOKUP:
                task = self._calls.get(thread, OTHER)
                found[task] = found.get(task, 0) + 1
            elif not function.startswith(_OF_CAPABILITIES):
                self._calls[thread] = CALLS.get(function, function.decode()) or OTHER
        return found


def follow(path: Path) -> Callable[[], Iterator[FunctionEntry]]:
    """What is logged in `path` from now on, each time since the time before."""
    read_to = path.stat().st_size

    def take() -> Iterator[FunctionEntry]:
        nonlocal read_to
        start, read_to = read_to, path.stat().st_size
        return logged(path, start, read_to)

    return take


def logged(path: Path, start: int, end: int) -> Iterator[FunctionEntry]:
    """The entries of a debug log from byte `start` to byte `end`; a text may have more than one line."""
    with path.open("rb") as file:
        file.seek(start)
        text = file.read(end - start)
    return split(text, _LINE)


def split(text: bytes, heads: re.Pattern[bytes]) -> Iterator[FunctionEntry]:
    """Entries whose heads match `heads`: groups thread and function; what is between two is the text."""
    matches = list(heads.finditer(text))
    ends = [*(match.start() for match in matches[1:]), len(text)]
    for match, its_end in zip(matches, ends, strict=False):  # no entry has no end
        yield FunctionEntry(int(match[1]), match[2], text[match.end() : its_end])
