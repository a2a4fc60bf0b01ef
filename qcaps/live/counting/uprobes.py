"""Lookups of a running daemon, seen by the kernel: probes on libvirt's functions. Takes root.

A probe is a breakpoint that the kernel puts into a file's pages: a daemon that runs already is counted
without a word to it, and its settings stay as they are. What the probes see goes into a trace of our own
(an instance of tracefs), apart from anybody else's.

The calls of the API that are probed are those that look up. Of a domain given as XML its first bytes are
taken down, of a domain object its name: by these `entries.of_tag` tells our calls from others'. Where a call
ends is seen too, so that the lookups of a call that is not probed are nobody's.
"""

from __future__ import annotations

import errno
import fcntl
import os
import platform
import re
import secrets
import subprocess
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from qcaps.live.counting.entries import FunctionEntry, split
from qcaps.live.errors import LiveError, NotPermitted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_TRACEFS: Final = Path("/sys/kernel/tracing")
_GROUP: Final = "qcaps_"
_LINE: Final = re.compile(rb"^ *\S.*?-(\d+) +\[\d+\] \S+ +\d+\.\d+: (\w+): ", re.MULTILINE)
"""A line of a trace. Groups: the kernel's id of the thread, the event, which has its function's name."""

_LOST: Final = re.compile(rb"^CPU:\d+ \[LOST", re.MULTILINE)
_END: Final = "__end"
_AT_ONCE: Final = 1 << 16
_BUFFER_KB: Final = "4096"
_OPTIONS: Final = (("record-tgid", "0"), ("latency-format", "0"), ("irq-info", "1"))
_REGISTERS: Final = {"x86_64": ("di", "si", "dx"), "aarch64": ("x0", "x1", "x2")}
"""Where the kernel finds a function's arguments."""

_LOOKUP: Final = "virQEMUCapsCacheLookup"
_XML: Final = (
    ("virDomainDefineXML", 1),
    ("virDomainDefineXMLFlags", 1),
    ("virDomainCreateXML", 1),
    ("virDomainCreateXMLWithFiles", 1),
    ("virConnectDomainXMLToNative", 2),
)
"""Calls that are given a domain as XML, and which argument that is."""

_DOMAIN: Final = (
    "virDomainCreate", "virDomainCreateWithFlags", "virDomainCreateWithFiles", "virDomainUndefine",
    "virDomainUndefineFlags", "virDomainAttachDevice", "virDomainAttachDeviceFlags", "virDomainDetachDevice",
    "virDomainDetachDeviceFlags", "virDomainUpdateDeviceFlags", "virDomainGetXMLDesc",
)  # fmt: skip
"""Calls that are given a domain object."""

_NAME_OFFSET: Final = 32
"""Of the name in libvirt's domain object, behind the GObject (24 bytes) and the connection; since 6.4.0."""

_NOBODY: Final = ("virConnectGetDomainCapabilities", "virConnectGetCapabilities")
"""Calls that concern no domain."""


class Uprobes:
    """Probes in place; `close` removes them.

    Where no tracefs is mounted it mounts one, for good: this process should have mounts of its own.
    """

    def __init__(self, library: Path, driver: Path) -> None:
        """Put the probes in. Raises NotPermitted where the kernel refuses, LiveError without a function."""
        self._tracefs = _find()
        self._group = _GROUP + secrets.token_hex(4)
        self._trace = self._tracefs / "instances" / self._group
        self._pipe: int | None = None
        try:
            with _alone(self._tracefs):
                _sweep(self._tracefs)
                self._trace.mkdir()
                # A trace that is being read cannot be removed: by that others see that it is in use.
                self._pipe = os.open(self._trace / "trace_pipe", os.O_RDONLY | os.O_NONBLOCK)
            _set_up(self._trace)
            _append(self._tracefs, _definitions(self._group, library, driver))
            (self._trace / "events" / self._group / "enable").write_text("1")
        except OSError as error:
            self.close()
            raise NotPermitted(f"uprobes: {error.strerror or error}: count by the log") from error
        except BaseException:
            self.close()
            raise

    def take(self) -> list[FunctionEntry]:
        """What was seen since the last time. Raises LiveError if some was lost."""
        assert self._pipe is not None
        parts = []
        with suppress(BlockingIOError):
            while part := os.read(self._pipe, _AT_ONCE):
                parts.append(part)
        seen = b"".join(parts)
        if b"LOST" in seen and _LOST.search(seen):
            raise LiveError("uprobes: more lookups than the trace holds: count by the log")
        return [_without_end(one) for one in split(seen, _LINE)]

    def close(self) -> None:
        """Remove probes and trace."""
        if self._pipe is not None:
            os.close(self._pipe)
            self._pipe = None
        _remove(self._tracefs, self._group)


def _without_end(one: FunctionEntry) -> FunctionEntry:
    """The end of a call is a call of nothing: what its thread does next belongs to nobody."""
    return FunctionEntry(one.thread, b"", b"") if one.function.endswith(_END.encode()) else one


def usable() -> str:
    """Why uprobes cannot be used here, "" if nothing speaks against it."""
    if os.geteuid() != 0:
        return "uprobes take root"
    if platform.machine() not in _REGISTERS:
        return f"uprobes: not on {platform.machine()}"
    if "tracefs" not in Path("/proc/filesystems").read_text():
        return "uprobes: this kernel has no tracefs"
    return ""


def _find() -> Path:
    """The tracefs, mounted now if it was not. Raises NotPermitted."""
    if not (_TRACEFS / "uprobe_events").exists():
        done = subprocess.run(
            ["mount", "-t", "tracefs", "tracefs", str(_TRACEFS)], capture_output=True, text=True, check=False
        )
        if not (_TRACEFS / "uprobe_events").exists():
            raise NotPermitted(f"uprobes: no tracefs: {done.stderr.strip() or 'no uprobe_events in it'}")
    return _TRACEFS


def _set_up(trace: Path) -> None:
    """Room, a clock that all processors share, and lines as `_LINE` knows them, whatever others have set."""
    (trace / "buffer_size_kb").write_text(_BUFFER_KB)
    (trace / "trace_clock").write_text("mono")
    for option, value in _OPTIONS:
        if (trace / "options" / option).exists():  # not every kernel has each
            (trace / "options" / option).write_text(value)


@contextmanager
def _alone(tracefs: Path) -> Iterator[None]:
    """Nobody else of us sweeps meanwhile: a trace that is just made is not yet in use."""
    lock = os.open(tracefs / "README", os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _definitions(group: str, library: Path, driver: Path) -> Iterator[str]:
    registers = _REGISTERS.get(platform.machine())
    if registers is None:
        raise NotPermitted(f"uprobes: not on {platform.machine()}")
    (lookup,) = _offsets(driver, (_LOOKUP,))
    if lookup is None:
        raise LiveError(f"{driver}: does not export {_LOOKUP}: count by the log")
    yield f"p:{group}/{_LOOKUP} {driver}:{lookup:#x}"
    texts = {name: f"text=+0(%{registers[argument]}):string" for name, argument in _XML}
    texts |= dict.fromkeys(_DOMAIN, f"text=+0(+{_NAME_OFFSET}(%{registers[0]})):string")
    texts |= dict.fromkeys(_NOBODY, "")
    for (name, text), offset in zip(texts.items(), _offsets(library, tuple(texts)), strict=True):
        if offset is not None:
            yield f"p:{group}/{name} {library}:{offset:#x} {text}".rstrip()
            yield f"r:{group}/{name}{_END} {library}:{offset:#x}"


def _offsets(path: Path, names: tuple[str, ...]) -> list[int | None]:
    """Where in the file exported functions begin; None for those that it does not have."""
    try:
        from elftools.elf.elffile import ELFFile  # an extra
    except ModuleNotFoundError:
        raise LiveError("uprobes take pyelftools: pip install 'qcaps[live]'") from None

    with path.open("rb") as file:
        elf = ELFFile(file)
        symbols: Any = elf.get_section_by_name(".dynsym")
        if symbols is None:
            raise LiveError(f"{path}: has no table of symbols (stripped?): count by the log")
        found = []
        for name in names:
            entries = [one for one in symbols.get_symbol_by_name(name) or () if one["st_value"]]
            offsets = [offset for one in entries for offset in elf.address_offsets(one["st_value"])]
            found.append(offsets[0] if offsets else None)
    return found


def _append(tracefs: Path, lines: Iterable[str]) -> None:
    """Add definitions, one write each. The kernel's file has no end to seek, as a Python file would."""
    events = os.open(tracefs / "uprobe_events", os.O_WRONLY | os.O_APPEND)
    try:
        for line in lines:
            os.write(events, line.encode() + b"\n")
    finally:
        os.close(events)


def _remove(tracefs: Path, group: str) -> bool:
    """Remove a trace and then its probes; not one that somebody still reads."""
    try:
        (tracefs / "instances" / group).rmdir()
    except OSError as error:
        if error.errno != errno.ENOENT:
            return False
    for event in (tracefs / "events" / group).glob("*/id"):
        with suppress(OSError):
            _append(tracefs, [f"-:{group}/{event.parent.name}"])
    return True


def _sweep(tracefs: Path) -> None:
    """Remove what a killed one of us has left: a trace with its probes, or probes alone."""
    left = {path.name for folder in ("instances", "events") for path in (tracefs / folder).glob(f"{_GROUP}*")}
    for group in left:
        _remove(tracefs, group)
