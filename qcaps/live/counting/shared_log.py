"""A running daemon's log, which several of us and its administrator may change at once.

Each of us adds an output, a file in a folder that it holds locked, and all share three filters, spelt as
nobody else would. So ours can be told from what is not, whose reader lives from whose was killed, and what is
put back is what we changed and nothing else: the settings are read again before they are written. Readers of
one daemon take turns at that. Between virt-admin's reading and writing lie milliseconds in which a change of
the administrator's would be lost; libvirt has no way to ask for both at once.
"""

from __future__ import annotations

import fcntl
import os
import re
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from qcaps.files import is_held
from qcaps.live.counting.adminlog import LogSettings
from qcaps.live.errors import LiveError
from qcaps.live.host.live_folder import PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qcaps.live.counting.adminlog import AdminLog

FILTERS: Final = ("1:emu.qemu_capabilitie", "1:ibvirt.domai", "1:ibvirt.hos")
"""What the daemon must log for a lookup to be seen, and to be told whose it is: the file that looks up, and
two of the API; each a letter short at both ends, which matches the same and is nobody else's."""

FILE: Final = "debug.log"
_OURS: Final = re.compile(rf"1:file:(/\S*/{re.escape(PREFIX)}[^/\s]+)/{re.escape(FILE)}")


class SharedLog:
    """Our part in a daemon's log settings: a file of our own."""

    def __init__(self, log: AdminLog, folder: Path) -> None:
        """Have the daemon log into `folder`, which is held as long as we live. Raises LiveError.

        What readers left that were killed is removed. `others` is how many of us read this log besides.
        """
        if re.search(r"\s", str(folder)):
            raise LiveError(f"{folder}: libvirt logs into no folder with a blank in its name: set TMPDIR")
        self._log = log
        self.path = folder / FILE
        self.path.touch()
        with _taking_turns(log.socket):
            before = without_the_dead(log.settings())
            self.others = len(_readers(before))
            try:
                log.set(_with(before, self.path))
            except LiveError:
                log.set(before)
                raise

    def check(self) -> None:
        """Raise LiveError if the daemon does not log for us any more: then not all was counted."""
        found = self._log.settings()
        self.others = max(self.others, len(_readers(found)) - 1)
        if _output(self.path) not in found.outputs.split() or not set(FILTERS) <= set(found.filters.split()):
            raise LiveError(
                "somebody changed the daemon's log settings meanwhile: what was counted is not all; try again"
            )

    def close(self) -> None:
        """Take out what is ours, and leave the rest as it is now."""
        put_back(self._log, self.path.parent)


def put_back(log: AdminLog, folder: Path) -> None:
    """Take the output into `folder` out of the daemon's log, those of the killed, and at last the filters."""
    with _taking_turns(log.socket):
        before = log.settings()
        after = without_the_dead(before, folder)
        if after != before:
            log.set(after)


def without_the_dead(settings: LogSettings, gone: Path | None = None) -> LogSettings:
    """The settings without outputs whose reader is dead, or `gone`; with none left, without our filters."""
    dead = [folder for folder in _readers(settings) if folder == gone or not is_held(folder)]
    written = [_output(folder / FILE) for folder in dead]
    outputs = [one for one in settings.outputs.split() if one not in written]
    left = _readers(LogSettings("", " ".join(outputs)))
    filters = [one for one in settings.filters.split() if left or one not in FILTERS]
    return LogSettings(" ".join(filters), " ".join(outputs))


def _with(settings: LogSettings, path: Path) -> LogSettings:
    """The same and ours; our filters stand first, since the first that fits is the one that holds."""
    others = [one for one in settings.filters.split() if one not in FILTERS]
    return LogSettings(" ".join((*FILTERS, *others)), f"{settings.outputs} {_output(path)}".strip())


def _output(path: Path) -> str:
    return f"1:file:{path}"


def _readers(settings: LogSettings) -> list[Path]:
    """The folders that readers of ours log into."""
    return [Path(found[1]) for one in settings.outputs.split() if (found := _OURS.fullmatch(one))]


@contextmanager
def _taking_turns(admin_socket: Path) -> Iterator[None]:
    """One of us at a time reads and writes the settings of the daemon behind this socket."""
    folder = os.open(admin_socket.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)
