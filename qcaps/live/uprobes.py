"""Lookups of a running daemon, seen by the kernel: probes on libvirt's functions. Takes root.

A probe is a breakpoint that the kernel puts into a file's pages: a daemon that runs already is counted
without a word to it, and its settings stay as they are. What the probes see goes into a trace of our own
(an instance of tracefs), apart from anybody else's.

The calls of the API that are probed are those that look up. Of a domain given as XML its first bytes are
taken down, of a domain object its name: by these `entries.of_tag` tells our calls from others'.
"""

from __future__ import annotations

import errno
import os
import platform
import re
import secrets
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from qcaps.live.entries import Entry, split
from qcaps.live.errors import LiveError, NotPermitted

if TYPE_CHECKING:
    from collections.abc import Iterator

_TRACEFS: Final = Path("/sys/kernel/tracing")
_GROUP: Final = "qcaps_"
_LINE: Final = re.compile(rb"^ *\S.*?-(\d+) +\[\d+\] \S+ +\d+\.\d+: (\w+): ", re.MULTILINE)
"""A line of a trace. Groups: the kernel's id of the thread, the event, which has its function's name."""

_BUFFER_KB: Final = "4096"
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
    """Probes in place; `close` removes them. `folder` is for a tracefs, where none is mounted."""

    def __init__(self, library: Path, driver: Path, folder: Path) -> None:
        """Put the probes in. Raises NotPermitted where the kernel refuses, LiveError without a function."""
        self._mounted = folder / "tracefs"
        self._tracefs = self._find()
        _sweep(self._tracefs)
        self._group = _GROUP + secrets.token_hex(4)
        self._trace = self._tracefs / "instances" / self._group
        self._open: int | None = None
        try:
            self._trace.mkdir()
            (self._trace / "buffer_size_kb").write_text(_BUFFER_KB)
            # An instance with a file open cannot be removed: by that others see that it is in use.
            self._open = os.open(self._trace / "trace", os.O_RDONLY)
            _append(self._tracefs, "\n".join(_definitions(self._group, library, driver)))
            (self._trace / "events" / self._group / "enable").write_text("1")
        except OSError as error:
            self.close()
            raise NotPermitted(f"uprobes: {error.strerror or error}: count by the log") from error
        except BaseException:
            self.close()
            raise

    def take(self) -> list[Entry]:
        """What was seen since the last time, and forget it. Raises LiveError if some was lost."""
        trace = self._trace / "trace"
        seen = trace.read_bytes()
        trace.write_bytes(b"")
        head = re.search(rb"entries-in-buffer/entries-written: (\d+)/(\d+)", seen)
        if head is not None and head[1] != head[2]:
            raise LiveError("uprobes: more lookups than the trace holds: count by the interposer or the log")
        return list(split(seen, _LINE))

    def close(self) -> None:
        """Remove probes, trace, and the tracefs that was mounted for them."""
        if self._open is not None:
            os.close(self._open)
            self._open = None
        _remove(self._tracefs, self._group)
        if self._tracefs == self._mounted:
            subprocess.run(["umount", str(self._mounted)], capture_output=True, check=False)

    def _find(self) -> Path:
        if (_TRACEFS / "uprobe_events").exists():
            return _TRACEFS
        self._mounted.mkdir()
        done = subprocess.run(
            ["mount", "-t", "tracefs", "tracefs", str(self._mounted)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0 or not (self._mounted / "uprobe_events").exists():
            raise NotPermitted(f"uprobes: no tracefs: {done.stderr.strip() or 'no uprobe_events in it'}")
        return self._mounted


def usable() -> str:
    """Why uprobes cannot be used here, "" if nothing speaks against it."""
    if os.geteuid() != 0:
        return "uprobes take root"
    if platform.machine() not in _REGISTERS:
        return f"uprobes: not on {platform.machine()}"
    if "tracefs" not in Path("/proc/filesystems").read_text():
        return "uprobes: this kernel has no tracefs"
    return ""


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


def _offsets(path: Path, names: tuple[str, ...]) -> list[int | None]:
    """Where in the file exported functions begin; None for those that it does not have."""
    try:
        from elftools.elf.elffile import ELFFile  # noqa: PLC0415  # an extra
    except ModuleNotFoundError:
        raise LiveError("uprobes take pyelftools: pip install 'qcaps[live]'") from None

    with path.open("rb") as file:
        elf = ELFFile(file)
        symbols: Any = elf.get_section_by_name(".dynsym")
        if symbols is None:
            raise LiveError(f"{path}: exports nothing: count by the log")
        found = []
        for name in names:
            entries = [one for one in symbols.get_symbol_by_name(name) or () if one["st_value"]]
            offsets = [offset for one in entries for offset in elf.address_offsets(one["st_value"])]
            found.append(offsets[0] if offsets else None)
    return found


def _append(tracefs: Path, lines: str) -> None:
    """Add definitions, one write each. The kernel's file has no end to seek, as a Python file would."""
    events = os.open(tracefs / "uprobe_events", os.O_WRONLY | os.O_APPEND)
    try:
        for line in lines.splitlines():
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
            _append(tracefs, f"-:{group}/{event.parent.name}")
    return True


def _sweep(tracefs: Path) -> None:
    """Remove what a killed one of us has left."""
    for left in (tracefs / "instances").glob(f"{_GROUP}*"):
        _remove(tracefs, left.name)
