"""inotify: a thread that raises a flag when a watched path changes, so that a hit costs no system call.

Seen: writes, renames over, removal, new files, changed modes and owners, of the path itself, of what it
links to, and of the last link to it. Not seen: mounts over the path, changes made by another host on a
network file system, and what has no file (microcode, a module parameter in /sys). The flag is raised
shortly after the change, not with it.
"""

from __future__ import annotations

import ctypes
import errno
import os
import select
import struct
from threading import Lock, Thread

from qcaps.errors import QcapsError

# From <sys/inotify.h>; what leaves a file as it is (open, read, close) is not asked for.
_MODIFY = 0x2
_ATTRIB = 0x4
_MOVED = 0x40 | 0x80
_CREATE = 0x100
_DELETE = 0x200
_SELF = 0x400 | 0x800
_MASK = _MODIFY | _ATTRIB | _MOVED | _CREATE | _DELETE | _SELF
_OVERFLOW = 0x4000
_IGNORED = 0x8000
_HEADER = struct.Struct("iIII")
_LIMITS = (errno.ENOMEM, errno.EMFILE, errno.ENOSPC)  # the kernel's words for "no more watches"
_ANY = ""  # stands for the watched file or directory itself, as opposed to a name within it


class WatchError(QcapsError):
    """The kernel allows no (more) watches."""


class Changed:
    """Whether one of some paths changed since the last `rearm`; reading `flag` costs nothing."""

    __slots__ = ("_paths", "_watcher", "flag")

    def __init__(self, watcher: Watcher, paths: tuple[str, ...]) -> None:
        self.flag = False
        self._watcher = watcher
        self._paths = paths

    def rearm(self) -> None:
        """Lower the flag, then watch what is at the paths now; look at the files only afterwards."""
        self.flag = False
        for path in self._paths:
            self._watcher.add(path, self)


class Watcher:
    """One inotify descriptor and the thread that reads it. A fork does not inherit the thread."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._inotify = self._libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
        if self._inotify < 0:
            raise _failure("cannot start watching files")
        self._bell = os.eventfd(0, os.EFD_CLOEXEC)
        self._lock = Lock()
        self._interested: dict[int, dict[str, set[Changed]]] = {}
        self._flags: dict[tuple[str, ...], Changed] = {}
        self._thread: Thread | None = Thread(target=self._read, name="qcaps-watch", daemon=True)
        self._thread.start()

    def watch(self, paths: tuple[str, ...]) -> Changed:
        """The flag for `paths`, one for all who ask for the same, lowered; a path need not exist yet."""
        changed = self._flags.setdefault(paths, Changed(self, paths))
        changed.rearm()
        return changed

    def add(self, path: str, changed: Changed) -> None:
        """Watch the file at `path`, its name in its directory, and the same for what it links to."""
        for place in {os.path.abspath(path), os.path.realpath(path)}:  # noqa: PTH100  callers hold strings
            self._add(place, _ANY, changed)
            folder, name = os.path.split(place)
            while not self._add(folder, name, changed) and folder != "/":
                folder, name = os.path.split(folder)

    def close(self) -> None:
        """Stop the thread and give the descriptors back; flags stay as they are."""
        if self._thread is None:
            return
        os.eventfd_write(self._bell, 1)
        self._thread.join()
        self._thread = None
        os.close(self._inotify)
        os.close(self._bell)

    def _add(self, path: str, name: str, changed: Changed) -> bool:
        """Whether there is something at `path` to watch; WatchError if the kernel's limit is reached."""
        with self._lock:
            number = self._libc.inotify_add_watch(self._inotify, os.fsencode(path), _MASK)
            if number >= 0:
                self._interested.setdefault(number, {}).setdefault(name, set()).add(changed)
                return True
        if ctypes.get_errno() in _LIMITS:
            raise _failure(f"{path}: cannot watch it")
        return False

    def _read(self) -> None:
        poll = select.poll()
        poll.register(self._inotify, select.POLLIN)
        poll.register(self._bell, select.POLLIN)
        while True:
            ready = [descriptor for descriptor, _ in poll.poll()]
            if self._bell in ready:
                return
            self._tell(os.read(self._inotify, 65536))

    def _tell(self, events: bytes) -> None:
        at = 0
        with self._lock:
            while at < len(events):
                number, mask, _, length = _HEADER.unpack_from(events, at)
                at += _HEADER.size
                name = os.fsdecode(events[at : at + length].rstrip(b"\0"))
                at += length
                if mask & _OVERFLOW:
                    self._raise_all()
                    continue
                interested = self._interested.get(number, {})
                for changed in (*interested.get(name, ()), *interested.get(_ANY, ())):
                    changed.flag = True
                if mask & _IGNORED:
                    self._interested.pop(number, None)

    def _raise_all(self) -> None:
        """Events were lost: any path may have changed."""
        for names in self._interested.values():
            for interested in names.values():
                for changed in interested:
                    changed.flag = True


def _failure(what: str) -> WatchError:
    why = os.strerror(ctypes.get_errno())
    return WatchError(f"{what}: {why}: raise /proc/sys/fs/inotify/max_user_watches and max_user_instances")
