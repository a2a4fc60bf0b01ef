"""Locks that the threads of one process and several processes share, and a count of changes beside them."""

from __future__ import annotations

import fcntl
import os
import struct
import weakref
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING
from zlib import crc32

from qcaps.errors import QcapsError

if TYPE_CHECKING:
    from collections.abc import Iterator

_TABLE = 0
_NAMES = 1 << 20
_STRIPES = 64
_COUNT = struct.Struct("=Q")
_FLOCK = struct.Struct("hhqqi4x")  # struct flock of 64-bit Linux


class LockError(QcapsError):
    """The file of the locks cannot be opened, or its file system has no locks."""


class SharedLocks:
    """One lock for each name and one for the whole table, all in one file that is never removed.

    They are the kernel's locks of open file descriptions on single bytes, so they end with the process that
    holds them, however it ends. Order: a name first, then the table; never two names. Nothing can wait in a
    circle then. Names that share a byte only wait for each other without need.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._table = Lock()
        self._names = tuple(Lock() for _ in range(_STRIPES))
        self._open()

    @contextmanager
    def holding(self, name: str) -> Iterator[None]:
        """Nobody else, in any thread or process, works on what is called `name` until the block ends."""
        number = crc32(name.encode()) % _NAMES
        with self._names[number % _STRIPES], self._byte(1 + number):
            yield

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Nobody else changes the table until the block ends."""
        with self._table, self._byte(_TABLE):
            yield

    def try_holding(self, name: str) -> bool:
        """Whether nobody holds `name` at this moment."""
        place = 1 + crc32(name.encode()) % _NAMES
        try:
            self._lock(fcntl.F_OFD_SETLK, fcntl.F_WRLCK, place)
        except OSError:
            return False
        self._lock(fcntl.F_OFD_SETLK, fcntl.F_UNLCK, place)
        return True

    def changes(self) -> int:
        """How often `count_change` was called, by any process."""
        told = os.pread(self._file, _COUNT.size, 0)
        return int(_COUNT.unpack(told)[0]) if len(told) == _COUNT.size else 0

    def count_change(self) -> int:
        """One more; to be called within `changing`."""
        count = self.changes() + 1
        os.pwrite(self._file, _COUNT.pack(count), 0)
        return count

    def _open(self) -> None:
        self._process = os.getpid()
        try:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise LockError(f"{self._path}: cannot be opened: {error.strerror}") from error
        weakref.finalize(self, os.close, self._file)

    @contextmanager
    def _byte(self, place: int) -> Iterator[None]:
        if self._process != os.getpid():
            self._open()  # a fork shares its parent's open file, and with it the locks
        try:
            self._lock(fcntl.F_OFD_SETLKW, fcntl.F_WRLCK, place)
        except OSError as error:
            raise LockError(f"{self._path}: cannot be locked: {error.strerror}") from error
        try:
            yield
        finally:
            self._lock(fcntl.F_OFD_SETLK, fcntl.F_UNLCK, place)

    def _lock(self, command: int, kind: int, place: int) -> None:
        fcntl.fcntl(self._file, command, _FLOCK.pack(kind, os.SEEK_SET, place, 1, 0))
