"""What commands that measure for a while share: a bar, an end by signal, folders, lines on standard error."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from qcaps.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator
    from types import FrameType

    Bar = Callable[[float, float, str], None]

_MEMORY = Path("/dev/shm")  # noqa: S108  # a folder of ours is made in it


def say(line: str) -> None:
    """One line on standard error."""
    print("qcaps:", " ".join(line.split()), file=sys.stderr)


def add_scratch_option(parser: argparse.ArgumentParser) -> None:
    """--scratch."""
    parser.add_argument(
        "--scratch",
        type=Path,
        metavar="DIR",
        help="where domains are saved (default: /dev/shm, since a disk's fsync says little of the code)",
    )


def add_force_option(parser: argparse.ArgumentParser) -> None:
    """--force, for commands that write one file of results."""
    parser.add_argument("--force", action="store_true", help="write over a file that is there")


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


@contextmanager
def progress_bar() -> Iterator[Bar]:
    """A bar with the time left, on standard error while that is a terminal; nothing elsewhere.

    It is told how much is done, of how much, and what is on.
    """
    if not sys.stderr.isatty():
        yield lambda _done, _of, _what: None
        return
    from rich.console import Console  # only a terminal pays for it
    from rich.progress import Progress, TimeElapsedColumn

    with Progress(*Progress.get_default_columns(), TimeElapsedColumn(), console=Console(stderr=True)) as bar:
        shown = bar.add_task("starting")
        yield lambda done, of, what: bar.update(shown, completed=done, total=of, description=what)
