"""`qcaps history page`: the history as one page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qcaps.commands.history.known import add_acknowledged, known_events
from qcaps.commands.options import FILE, add_options, print_json

if TYPE_CHECKING:
    import argparse


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the action's arguments."""
    add_acknowledged(parser)
    add_options(parser, "content", "json", output=FILE._replace(default=Path("history.html")))


def run(args: argparse.Namespace) -> int:
    """Draw what the store holds."""
    from qcaps.files import make_folder  # `--help` need not pay for any of this
    from qcaps.history.store import reading
    from qcaps.report import history_page

    with reading(args.store) as store:
        make_folder(args.output.absolute().parent)
        shown = history_page.build(store, args.output, known_events(args, store), args.content)
    if args.json:
        print_json("history-page", {"file": str(args.output), "benchmarks": shown})
    else:
        print(f"{args.output}: {shown} benchmarks")
    return 0
