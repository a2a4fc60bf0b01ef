"""Entries on disk, one file a binary, named and laid out as libvirt names and lays them out."""

from __future__ import annotations

import fcntl
import os
import re
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from qcaps.errors import QcapsError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qcaps.capabilities.stamps import Entry


_LEFTOVER = re.compile(r"\.[0-9a-f]{64}\.xml\.([0-9a-f]{8}|[0-9a-f]{16}\.qcaps-new)")
"""What a save writes before it renames it, now and before; a file of another shape is somebody else's."""


class CacheFolderError(QcapsError):
    """An entry could not be saved; whatever was there before is still there."""


class CacheFolder:
    """A directory of entries. Ours: never libvirt's own, whose entries we would replace as outdated."""

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        self.directory = os.fspath(directory)
        self._clean = False

    @contextmanager
    def alone(self) -> Iterator[None]:
        """No other process loads or saves here until the block ends.

        The lock is on the directory itself, so it leaves no file and ends with the process that holds it.
        Where there can be none (no such directory, no permission, a file system without locks) we go on
        without: then two processes may probe for one change, and the last to save wins.
        """
        try:
            os.makedirs(self.directory, exist_ok=True)  # noqa: PTH103  a str
            folder = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            yield
            return
        try:
            with suppress(OSError):
                fcntl.flock(folder, fcntl.LOCK_EX)
                self._remove_leftovers()
            yield
        finally:
            with suppress(OSError):
                fcntl.flock(folder, fcntl.LOCK_UN)  # closing is not enough if a child has inherited it
            os.close(folder)

    def _remove_leftovers(self) -> None:
        """Once, alone in the directory: what processes left that were killed in the middle of a save."""
        if self._clean:
            return
        self._clean = True
        for name in os.listdir(self.directory):  # noqa: PTH208  names, no paths
            if _LEFTOVER.fullmatch(name):
                os.unlink(os.path.join(self.directory, name))  # noqa: PTH108, PTH118  strings

    def path(self, binary: str) -> str:
        """The file of `binary`: the SHA-256 of its path, as libvirt names it.

        Follows: virFileCacheGetFileName
        """
        from hashlib import sha256

        return os.path.join(self.directory, sha256(binary.encode()).hexdigest() + ".xml")  # noqa: PTH118  a str

    def load(self, binary: str) -> Entry | None:
        """The entry of `binary`; None if there is none, or, after a logged warning, none we can use.

        Follows: virFileCacheLoad
        """
        path = self.path(binary)
        if not os.path.lexists(path):
            return None
        if not os.path.isfile(path):  # noqa: PTH113  a str; reading a pipe would wait, with the lock held
            _warn(f"ignored, and probed anew: {path}: is no regular file")
            return None
        from qcaps.capabilities import cachefile

        try:
            entry = cachefile.read(path)
        except cachefile.CacheFileError as error:
            _warn(f"ignored, and probed anew: {error}")
            return None
        if entry.stamps.binary != binary:
            _warn(f"ignored, and probed anew: {path}: describes {entry.stamps.binary}, not {binary}")
            return None
        return entry

    def save(self, binary: str, entry: Entry) -> None:
        """Write the entry of `binary`, all or nothing; CacheFolderError if the directory or disk refuses.

        Follows: virFileCacheSave
        """
        from qcaps.capabilities import cachefile

        path = self.path(binary)
        try:
            os.makedirs(self.directory, exist_ok=True)  # noqa: PTH103  a str
            cachefile.write(path, entry)
        except (OSError, cachefile.CacheFileError) as error:
            raise CacheFolderError(
                f"cannot save capabilities: {error}: choose another cache directory"
            ) from error

    def discard(self, binary: str) -> None:
        """Remove the outdated file of `binary`, as libvirt does; one that stays is replaced by a save."""
        with suppress(OSError):
            os.unlink(self.path(binary))  # noqa: PTH108  a str


def _warn(message: str) -> None:
    import logging

    logging.getLogger(__name__).warning("%s", message)
