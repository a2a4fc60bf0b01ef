"""What commands say beside their result: notes, warnings and progress on standard error, tables in colour.

How much and how, `-q`, `-v` and `--color` say; `set_up` takes them once a process.
"""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event, Thread
from time import monotonic
from typing import TYPE_CHECKING, Any

from qcaps.errors import visible
from qcaps.units import span

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

    from rich.console import Console
    from rich.text import Text

    Bar = Callable[[float, float, str], None]

EVERY_SECONDS = 10.0
"""Between two lines of progress where there is no terminal."""
LONG_SECONDS = 30.0
"""What takes longer says so before it begins."""
_TELLING_SECONDS = 2.0
_BESIDE, _SHORTEST = 46, 12
_IN_A_PIPE = 160


@dataclass
class _Wanted:
    quiet: bool = False
    verbose: bool = False
    color: str = "auto"


_WANTED = _Wanted()


def set_up(args: argparse.Namespace) -> None:
    """Take what the command line says; a command without these options says everything."""
    _WANTED.quiet = getattr(args, "quiet", False)
    _WANTED.verbose = getattr(args, "verbose", False)
    _WANTED.color = getattr(args, "color", "auto")


def say(line: str) -> None:
    """One line on standard error: a warning, or what ended a command early."""
    print("qcaps:", visible(" ".join(line.split())), file=sys.stderr)


def note(line: str) -> None:
    """One line on standard error, unless `-q` is given."""
    if not _WANTED.quiet:
        say(line)


def expect(seconds: float, what: str) -> None:
    """Say how long it will take, before it begins, where that is long."""
    if seconds > LONG_SECONDS:
        note(f"{what}: {span(seconds)} at most")


def console(*, stderr: bool = False) -> Console:
    """Where tables go: in colour as `--color` says; in a file or a pipe as wide as COLUMNS, or as needed."""
    from rich.console import Console  # 50 ms

    class Plain(Console):
        """Takes no text for markup: names are others', and what a terminal obeys is spelt."""

        def render_str(self, text: str, **how: Any) -> Text:  # noqa: ANN401  # whatever rich has
            return super().render_str(visible(text), **how | {"markup": False, "emoji": False})

    stream = sys.stderr if stderr else sys.stdout
    always = _WANTED.color == "always"
    return Plain(
        file=stream,
        width=None if stream.isatty() or os.environ.get("COLUMNS", "").isdigit() else _IN_A_PIPE,
        highlight=False,
        force_terminal=True if always else None,
        color_system="standard" if always else None if _WANTED.color == "never" else "auto",
    )


@contextmanager
def progress_bar() -> Iterator[Bar]:
    """A bar with the time left on a terminal, else a line every ten seconds, on standard error.

    With `-v` a line for each thing, with `-q` nothing. It is told how much is done, of how much, and what is
    on.
    """
    if _WANTED.quiet:
        yield lambda _done, _of, _what: None
        return
    if _WANTED.verbose or not sys.stderr.isatty():
        with _lines(each=_WANTED.verbose) as show:
            yield show
        return
    from rich.markup import escape
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    screen = console(stderr=True)
    most = max(screen.width - _BESIDE, _SHORTEST)
    columns = (
        *(TextColumn("{task.description}"), BarColumn(bar_width=10), TaskProgressColumn()),
        *(TimeRemainingColumn(compact=True), TextColumn("left,"), TimeElapsedColumn(), TextColumn("gone")),
    )
    with Progress(*columns, console=screen) as bar:
        shown = bar.add_task("starting")
        yield lambda done, of, what: bar.update(
            shown, completed=done, total=of, description=escape(_short(visible(what), most))
        )


def _short(text: str, most: int) -> str:
    """The text, its middle left out where it is too long for a bar beside it."""
    if len(text) <= most:
        return text
    half = (most - 1) // 2
    return f"{text[: most - 1 - half]}…{text[-half:]}"


@contextmanager
def _lines(*, each: bool) -> Iterator[Bar]:
    """A line every ten seconds, also while nothing is told; with `each`, whenever something else is on."""
    state = _LinesState(begun=monotonic(), last=monotonic())
    over = Event()

    def show(done: float, of: float, what: str) -> None:
        changed = each and what != state.what and what
        state.done, state.of, state.what = done, of, what
        if changed:
            _say_line(state)

    def tick() -> None:
        while not over.wait(max(state.last + EVERY_SECONDS - monotonic(), 0.01)):
            if monotonic() - state.last >= EVERY_SECONDS:
                _say_line(state)

    clock = Thread(target=tick, daemon=True)
    clock.start()
    try:
        yield show
    finally:
        over.set()
        clock.join()


@dataclass
class _LinesState:
    begun: float
    last: float
    done: float = 0.0
    of: float = 0.0
    what: str = ""


def _say_line(state: _LinesState) -> None:
    now = monotonic()
    state.last = now
    gone = now - state.begun
    left = ""
    if state.done > 0 and gone >= _TELLING_SECONDS:
        left = f", about {span(gone / state.done * max(state.of - state.done, 0))} left"
    what = f": {state.what}" if state.what else ""
    done = f"{state.done:.3g} of {state.of:g} done in" if state.of else "at work for"
    say(f"{done} {span(gone)}{left}{what}")
