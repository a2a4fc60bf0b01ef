"""What commands say beside their result: notes, warnings and progress on standard error, tables in colour.

How much and how, `-q`, `-v` and `--color` say; `set_up` takes them once a process.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qcaps.errors import visible

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

    from rich.console import Console
    from rich.text import Text

    Bar = Callable[[float, float, str], None]


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


def console(*, stderr: bool = False) -> Console:
    """Where tables go: in colour as `--color` says, in a file or a pipe as wide as they need to be."""
    from rich.console import Console  # 50 ms

    class Plain(Console):
        """Takes no text for markup: names are others', and what a terminal obeys is spelt."""

        def render_str(self, text: str, **how: Any) -> Text:  # noqa: ANN401  # whatever rich has
            return super().render_str(visible(text), **how | {"markup": False, "emoji": False})

    stream = sys.stderr if stderr else sys.stdout
    always = _WANTED.color == "always"
    return Plain(
        file=stream,
        width=None if stream.isatty() else 160,
        highlight=False,
        force_terminal=True if always else None,
        color_system="standard" if always else None if _WANTED.color == "never" else "auto",
    )


@contextmanager
def progress_bar() -> Iterator[Bar]:
    """A bar with the time left, on standard error while that is a terminal; with `-v` a line for each thing.

    It is told how much is done, of how much, and what is on.
    """
    if _WANTED.verbose:
        yield _lines()
        return
    if _WANTED.quiet or not sys.stderr.isatty():
        yield lambda _done, _of, _what: None
        return
    from rich.markup import escape
    from rich.progress import Progress, TimeElapsedColumn

    with Progress(*Progress.get_default_columns(), TimeElapsedColumn(), console=console(stderr=True)) as bar:
        shown = bar.add_task("starting")
        yield lambda done, of, what: bar.update(
            shown, completed=done, total=of, description=escape(visible(what))
        )


def _lines() -> Bar:
    """A line whenever something else is on."""
    last: list[str] = []

    def show(done: float, of: float, what: str) -> None:
        if last != [what]:
            last[:] = [what]
            say(f"{done:g} of {of:g}: {what}")

    return show
