"""`qcaps history export`: a revision's pairs as pyperf suites, or all levels as CSV."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcaps.commands.history.known import add_environment
from qcaps.commands.options import add_options, folder, print_json

if TYPE_CHECKING:
    import argparse


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the action's arguments."""
    parser.add_argument(
        "revision",
        nargs="?",
        default="",
        metavar="REV",
        help="a commit, a tag or a subject in the store (default: all, as Otava's CSV)",
    )
    parser.add_argument(
        "--with", dest="partner", metavar="REV", default="", help="its pairs with this one (default: most)"
    )
    add_environment(parser)
    add_options(parser, "json", output=folder("qcaps-pairs"))


def run(args: argparse.Namespace) -> int:
    """Write `base.json` and `head.json`, or `history.csv`."""
    if not args.revision:
        return _all(args)
    from qcaps.files import held  # `--help` need not pay for any of this
    from qcaps.history import exchange
    from qcaps.history.store import reading
    from qcaps.measure.gate.pair_store import BASE, HEAD
    from qcaps.measure.results import results_file

    with reading(args.store) as store:
        sides = exchange.give_out(store, args.revision, args.partner, args.environment)
    files = [args.output / name for name in (BASE, HEAD)]
    with held(args.output):
        for file, side in zip(files, sides, strict=True):
            results_file.write(file, side)
    if args.json:
        print_json("history-export", {"files": [str(file) for file in files]})
    else:
        print(f"{files[0]}, {files[1]}: {len(sides[1].measured)} benchmarks")
    return 0


def _all(args: argparse.Namespace) -> int:
    from qcaps.errors import UsageError  # `--help` need not pay for any of this
    from qcaps.files import held, replace_file
    from qcaps.history import levels_table
    from qcaps.history.store import reading

    if args.partner:
        raise UsageError("--with names whose pairs are given out: of which REV?")
    with reading(args.store) as store:
        text = levels_table.as_csv(store)
    file = args.output / "history.csv"
    with held(args.output):
        replace_file(file, text)
    if args.json:
        print_json("history-export", {"files": [str(file)]})
    else:
        print(f"{file}: {text.count(chr(10)) - 1} revisions")
    return 0
