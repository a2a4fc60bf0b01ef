"""Files that are replaced at once, and folders that one process at a time works in.

A file is written under a name nobody can guess, forced to the disk, and renamed: a reader sees the old
contents or the new, whoever else writes, and so does a crash. Locks are `flock`s: the kernel frees them with
the process that holds them, whatever ends it, and they hold across PID namespaces.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import stat
import sys
import time
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from qcaps.errors import QcapsError

if TYPE_CHECKING:
    from collections.abc import Iterator

LOCK = ".qcaps-lock"
_NEW = re.compile(r"\.(?P<of>.+)\.[0-9a-f]{16}\.qcaps-new")
_SCRATCH = ".qcaps-scratch-"
_PASSED = re.compile(r"/dev/std(out|err)|/dev/fd/\d+|/proc/(self|\d+)/fd/\d+")
"""What a shell passes by descriptor."""
_LONGEST_NAME = 4096
"""Bytes that a lock may hold about who has it."""
_MEMORY = Path("/dev/shm")  # noqa: S108  # where what measures has its scratch folders
_UNHELD = re.compile(r"qcaps-(gate|calibrate|profile)-[a-z0-9_]{8}")
"""Scratch folders there as earlier versions called them, which held none."""
_DAYS = 2 * 86400.0
_TRIES = 50
"""In a second: as long as a busy machine may keep a holder from writing its name."""
_LETTING_GO_SECONDS = 3.0
"""How long a lock may outlive its holder: in a child that was being started when the holder was killed."""


class BusyError(QcapsError):
    """Another process works in the folder; nothing was done, so a gate has no verdict."""

    exit_status = 2


@contextmanager
def replacing(path: Path, *, named: bool = False) -> Iterator[IO[bytes]]:
    """A file to write that takes the place of `path` when the context ends well. Raises QcapsError.

    Where a user `named` this very path, what a shell passes (/dev/stdout, whatever it leads to), a pipe and a
    character device are written as they are; a pipe under a name of ours is somebody's, and would never be
    read. A symbolic link is replaced, not followed, wherever it leads.
    """
    if named and _is_special(path):
        with _said(path), path.open("wb") as file:
            yield file
        return
    with _said(path):
        remove_leftovers(path.parent, path.name)
        new, descriptor = _new_beside(path)
        try:
            with open(descriptor, "wb") as file:  # noqa: PTH123  # a descriptor
                yield file
                file.flush()
                os.fsync(file.fileno())
            new.replace(path)
        except BaseException:
            with suppress(OSError):
                new.unlink(missing_ok=True)
            raise


def replace_file(path: Path, text: str, *, named: bool = False) -> None:
    """Put `text` (written as UTF-8) in the place of what `path` holds; see `replacing`. Raises QcapsError."""
    with replacing(path, named=named) as file:
        file.write(text.encode())


def make_folder(folder: Path) -> Path:
    """The folder, made if it is not there. Raises QcapsError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise QcapsError(f"{folder}: cannot be made a folder: {error.strerror or error}") from error
    return folder


@contextmanager
def held(folder: Path) -> Iterator[Path]:
    """The folder, made if need be, to be written in by this process alone; it names us to who comes later.

    What writers left there that were killed is removed first. Raises QcapsError that says who holds it.
    """
    lock = make_folder(folder) / LOCK
    file = _taken(lock, folder)
    try:
        remove_leftovers(folder)
        yield folder
    finally:
        lock.unlink(missing_ok=True)  # while it is locked: who waits for this one sees that it is gone
        file.close()


@contextmanager
def held_file(file: Path) -> Iterator[Path]:
    """The file, to be written by this process alone; a lock beside it names us to who comes later.

    Raises QcapsError that says who holds it.
    """
    make_folder(file.parent)
    lock = file.with_name(f".{file.name}{LOCK}")
    taken = _taken(lock, file)
    try:
        yield file
    finally:
        lock.unlink(missing_ok=True)  # while it is locked, as in `held`
        taken.close()


@contextmanager
def scratch_folder(where: Path | None = None) -> Iterator[Path]:
    """A folder for passing files, in `where` or the system's own place; removed with the context.

    Those of processes that were killed are removed first: theirs can be locked.
    """
    import shutil  # not for workers, which import this module for what they write

    folder, descriptor = new_scratch(where)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def new_scratch(where: Path | None = None, prefix: str = _SCRATCH) -> tuple[Path, int]:
    """Such a folder, and the descriptor that holds it, in every process that it is handed to.

    Removing the folder and closing the descriptor is the caller's.
    """
    import tempfile

    root = Path(where or tempfile.gettempdir()).absolute()
    sweep(root, prefix)
    while True:
        with _said(root):
            folder = Path(tempfile.mkdtemp(prefix=prefix, dir=root))
            # another's sweep may come between: then there is no such folder any more
            descriptor = _lock_folder(folder)
        if descriptor is not None:
            return folder, descriptor


def is_held(folder: Path) -> bool:
    """Whether the folder is there, and a process holds it; of another user's nobody can tell: it counts."""
    descriptor = _lock_folder(folder)
    if descriptor is not None:
        os.close(descriptor)
        return False
    return folder.exists()


def sweep(root: Path, prefix: str = _SCRATCH) -> None:
    """Remove the scratch folders below `root` that no process holds, and what versions without locks left."""
    import shutil

    unheld = [one for one in root.glob("qcaps-*") if root == _MEMORY and _is_of_old(one)]
    for folder in [*root.glob(f"{prefix}*"), *unheld]:
        descriptor = _lock_folder(folder)
        if descriptor is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(descriptor)


def _new_beside(path: Path) -> tuple[Path, int]:
    """A new file in the folder of `path`, and a descriptor that holds it."""
    while True:
        new = path.with_name(f".{path.name}.{os.urandom(8).hex()}.qcaps-new")
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        with suppress(OSError):  # a file system without locks; then nobody takes it for a leftover either
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if new.exists():
            return new, descriptor
        os.close(descriptor)  # another took it for a leftover before we held it


def remove_leftovers(folder: Path, name: str = "") -> None:
    """Remove what writers left in the folder that were killed: of the file `name`, or of any."""
    for entry in folder.iterdir() if folder.is_dir() else ():
        found = _NEW.fullmatch(entry.name)
        if found is None or name not in ("", found["of"]):
            continue
        with suppress(OSError):
            descriptor = os.open(entry, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                entry.unlink(missing_ok=True)
            finally:
                os.close(descriptor)


def _is_of_old(folder: Path) -> bool:
    """Whether a version without locks made it, and none can be at work in it any more."""
    with suppress(OSError):
        found = folder.lstat()
        made_by_us = _UNHELD.fullmatch(folder.name) and stat.S_IMODE(found.st_mode) == stat.S_IRWXU
        return bool(made_by_us) and time.time() - found.st_mtime > _DAYS
    return False


def _lock_folder(folder: Path) -> int | None:
    """A descriptor that holds the folder; None if another does, or it is not there, or not ours to lock."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        if os.fstat(descriptor).st_uid == os.geteuid():
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if folder.exists():
                return descriptor
    except OSError:
        pass
    os.close(descriptor)
    return None


def _taken(lock: Path, place: Path) -> IO[str]:
    """The lock's file, locked and with our name in it."""
    name = json.dumps(_ourselves())
    patience = time.monotonic() + _LETTING_GO_SECONDS
    while True:
        file = _opened(lock)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _name_in(file)
            file.close()
            if _is_gone(holder) and time.monotonic() < patience:
                time.sleep(1 / _TRIES)
                continue
            raise BusyError(
                f"{place}: {_holder(holder)} is at work in it: wait for it, or name another {_word(place)}"
            ) from None
        except OSError as error:
            file.close()
            raise QcapsError(f"{lock}: cannot be locked: {error.strerror or error}") from error
        if lock.exists() and os.path.samestat(os.fstat(file.fileno()), lock.stat()):
            break
        file.close()  # its last holder removed it before we had it: take the one that is there now
    file.seek(0)
    file.truncate()
    file.write(name)
    file.flush()
    return file


def _opened(lock: Path) -> IO[str]:
    """The lock's file; never another's, which would lose what is in it, and nothing that keeps us waiting."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    with _said(lock):
        descriptor = os.open(lock, flags, 0o666)
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
        os.close(descriptor)
        raise QcapsError(f"{lock}: is a pipe, a device or another file by a second name, no lock: remove it")
    return open(descriptor, "r+", encoding="utf-8", errors="replace")  # noqa: PTH123  # a descriptor


def _name_in(file: IO[str]) -> str:
    """Who holds it: a holder that has just taken the lock writes that down next."""
    for _ in range(_TRIES):
        file.seek(0)
        if holder := file.read(_LONGEST_NAME):
            return holder
        time.sleep(1 / _TRIES)
    return ""


def _word(place: Path) -> str:
    return "folder" if place.is_dir() else "file"


def _ourselves() -> dict[str, Any]:
    import shlex

    return {
        "pid": os.getpid(),
        "host": os.uname().nodename,
        "command": shlex.join((Path(sys.argv[0]).name, *sys.argv[1:])),
        "since": datetime.now().astimezone().isoformat(" ", "seconds"),
    }


def _is_gone(text: str) -> bool:
    """Whether the holder, on this host, has ended: what it was starting when it was killed lets go soon."""
    try:
        told = json.loads(text)
        if told["host"] != os.uname().nodename:
            return False
        state = Path(f"/proc/{int(told['pid'])}/stat").read_text(errors="replace").rpartition(")")[2]
    except FileNotFoundError:
        return True
    except (OSError, ValueError, LookupError, TypeError):
        return False
    return state.split()[:1] == ["Z"]


def _holder(text: str) -> str:
    try:
        told = json.loads(text)
        return f"'{told['command']:.80}' (process {told['pid']} on {told['host']}, since {told['since']})"
    except (ValueError, LookupError, TypeError):
        return "another process"


def _is_special(path: Path) -> bool:
    """Whether a path is written as it is. A link to a device that somebody planted is a link as any other."""
    if _PASSED.fullmatch(os.fspath(path)):
        return True
    try:
        kind = path.lstat().st_mode
    except OSError:
        return False
    if stat.S_ISBLK(kind):
        raise QcapsError(f"{path}: is a disk: name a file")
    return stat.S_ISFIFO(kind) or stat.S_ISCHR(kind)


@contextmanager
def _said(path: Path) -> Iterator[None]:
    """An OSError as one line about `path`."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.EPIPE:
            raise
        raise QcapsError(f"{path}: cannot be written: {error.strerror or error}") from error
