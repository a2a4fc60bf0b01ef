"""What commands that measure for a while share: an end by signal, and places for files."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from qcaps.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

_MEMORY = Path("/dev/shm")  # noqa: S108  # a folder of ours is made in it


def check_new(file: Path | None, *, force: bool) -> None:
    """Raise UsageError, before anything is measured, for results that would write over others."""
    if file is not None and file.is_file() and file.stat().st_size and not force:
        raise UsageError(f"{file}: exists: --force writes over it, --output names another file")


def scratch_place(chosen: Path | None) -> Path | None:
    """Where scratch folders are made; None for the system's own place. Raises QcapsError."""
    from qcaps.files import make_folder

    if chosen is not None:
        return make_folder(chosen)
    return _MEMORY if _MEMORY.is_dir() and os.access(_MEMORY, os.W_OK) else None


@contextmanager
def interruptible() -> Iterator[None]:
    """A polite kill ends a measurement as Ctrl-C does."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
