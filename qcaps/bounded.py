"""Reads a file a user names: of a bounded size, and never one that keeps the reader waiting.

A pipe, a device or a socket may never begin and may never end, so it is refused; standard input and what a
shell passes by descriptor (`/dev/stdin`, `/dev/fd/63`) are read to their end, within the same bound.
"""

from __future__ import annotations

import errno
import json
import os
import re
import stat
from typing import TYPE_CHECKING, Any, Final

from qcaps.errors import QcapsError

if TYPE_CHECKING:
    from pathlib import Path

MOST_BYTES: Final = 64 * 1024 * 1024
"""A domain with 100,000 devices takes about 25 MB, a long run's results about 10."""

_PASSED: Final = re.compile(r"/dev/stdin|/dev/fd/\d+|/proc/(self|\d+)/fd/\d+")
_KINDS: Final = (
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISSOCK, "a socket"),
)


class UnreadableError(QcapsError):
    """A file that is too large, or nothing that ends: names it, and the limit."""


def read_bounded(path: Path | str, most: int = MOST_BYTES) -> bytes:
    """The contents of the file at `path`.

    Raises OSError, and UnreadableError for what is above `most` bytes or no regular file.
    """
    descriptor = _opened(os.fspath(path))
    with open(descriptor, "rb", buffering=0) as file:  # noqa: PTH123  # a descriptor
        found = os.fstat(descriptor)
        if stat.S_ISDIR(found.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
        if not stat.S_ISREG(found.st_mode):
            if not _PASSED.fullmatch(os.fspath(path)):
                raise _no_file(path, found.st_mode)
            os.set_blocking(descriptor, True)
        elif found.st_size > most:
            raise _too_large(path, most)
        data = bytearray()
        while len(data) <= most and (chunk := file.read(min(most + 1 - len(data), _at_once(found)))):
            data += chunk
    if len(data) > most:
        raise _too_large(path, most)
    return bytes(data)


def check_bounded(path: Path, most: int = MOST_BYTES) -> Path:
    """The path, if what it names is a regular file of at most `most` bytes. Raises as `read_bounded`."""
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise _no_file(path, found.st_mode)
    if found.st_size > most:
        raise _too_large(path, most)
    return path


def read_json(path: Path | str, most: int = MOST_BYTES) -> Any:  # noqa: ANN401  # JSON
    """What the JSON file at `path` says. Raises as `read_bounded`, and ValueError as `parse_json`."""
    return parse_json(read_bounded(path, most))


def parse_json(text: str | bytes) -> Any:  # noqa: ANN401  # JSON
    """What `text` says in JSON. Raises ValueError for what is none, or nests too deeply."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _opened(path: str) -> int:
    try:
        return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.ENXIO:  # a socket
            raise _no_file(path, stat.S_IFSOCK) from None
        raise


def _at_once(found: os.stat_result) -> int:
    """What is there, and the byte that would be too many: one read, and one that finds the end."""
    return max(found.st_size + 1, 1 << 16)


def _said(size: int) -> str:
    return f"{size >> 20} MiB" if size >= 1 << 20 else f"{size} bytes"


def _no_file(path: Path | str, mode: int) -> UnreadableError:
    kind = next((words for is_one, words in _KINDS if is_one(mode)), "no regular file")
    return UnreadableError(f"{path}: is {kind}, not a file that ends; pass it as /dev/stdin, or name a file")


def _too_large(path: Path | str, most: int) -> UnreadableError:
    return UnreadableError(f"{path}: is larger than {_said(most)}; name another file")
