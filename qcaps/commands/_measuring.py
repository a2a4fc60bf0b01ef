"""What commands that measure for a while share: a bar, an end by signal, folders, lines on standard error."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from qcaps.errors import QcapsError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator
    from types import FrameType

    Bar = Callable[[float, float, str], None]

_MEMORY = Path("/dev/shm")  # noqa: S108  # a folder of ours is made in it


def say(line: str) -> None:
    """One line on standard error."""
    print("qcaps:", " ".join(line.split()), file=sys.stderr)


def make_folder(folder: Path) -> Path:
    """The folder, made if it is not there. Raises QcapsError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise QcapsError(f"{folder}: cannot be made a folder: {error.strerror or error}") from error
    return folder


def add_scratch_option(parser: argparse.ArgumentParser) -> None:
    """--scratch."""
    parser.add_argument(
        "--scratch",
        type=Path,
        metavar="DIR",
        help="where domains are saved (default: /dev/shm, since a disk's fsync says little of the code)",
    )


def scratch_folder(chosen: Path | None) -> Path | None:
    """The folder for scratch files; None for the system's own. Raises QcapsError."""
    if chosen is not None:
        return make_folder(chosen).absolute()
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
