"""`qcaps history merge`: stores of one line brought together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcaps.commands.options import add_options, existing_path, print_json

if TYPE_CHECKING:
    import argparse


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the action's arguments."""
    parser.add_argument(
        "others", nargs="+", type=existing_path, metavar="STORE", help="another history's file"
    )
    add_options(parser, "json")


def run(args: argparse.Namespace) -> int:
    """Merge one after another, each as a whole or not at all."""
    from qcaps.errors import UsageError  # `--help` need not pay for any of this
    from qcaps.history import merging
    from qcaps.history.store import writing

    found = {}
    with writing(args.store) as store:
        for other in args.others:
            if other.samefile(args.store):
                raise UsageError(f"{other}: is the store itself")
            found[str(other)] = merging.merge(store, other)
    if args.json:
        print_json("history-merge", {name: one._asdict() for name, one in found.items()})
    else:
        for name, one in found.items():
            print(f"{name}: {one.pairs} new pairs, {one.revisions} new revisions")
    return 0
