"""Reads a file of a bounded size: what a user names may be a device or a pipe that never ends."""

from __future__ import annotations

from pathlib import Path

from qcaps.errors import QcapsError

MOST_BYTES = 64 * 1024 * 1024
"""A domain with 100,000 devices takes about 25 MB, a long run's results about 10."""


def read_bounded(path: Path | str, most: int = MOST_BYTES) -> bytes:
    """The contents of the file at `path`. Raises OSError, and QcapsError for one above `most` bytes."""
    with Path(path).open("rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise QcapsError(f"{path}: is larger than {most} bytes; name another file")
    return data
