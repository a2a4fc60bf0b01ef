"""`qcaps history import`: pairs from two pyperf suites that were measured together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcaps.commands.options import add_options, existing_path, print_json

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from qcaps.history.records import Revision


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the action's arguments."""
    parser.add_argument("base", type=existing_path, metavar="BASE", help="base.json of a gate or an export")
    parser.add_argument("head", type=existing_path, metavar="HEAD", help="head.json beside it")
    add_options(parser, "repo", "json")


def run(args: argparse.Namespace) -> int:
    """Take the pairs in, and say how many were new."""
    from qcaps.history import commits, exchange  # `--help` need not pay for any of this
    from qcaps.history.store import writing

    store_path: Path = args.store

    def revision_of(version: str) -> Revision:
        return commits.of_gate(version, args.repo)

    with writing(store_path) as store:
        base, head, new = exchange.take_in(
            store, args.base, args.head, revision_of, lambda: commits.line(args.repo)
        )
    if args.json:
        print_json("history-import", {"base": base.name, "head": head.name, "new_pairs": new})
    else:
        print(f"{store_path}: {new} new pairs of {head} with {base}")
    return 0
