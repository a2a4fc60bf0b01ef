"""`qcaps compare`: two results files side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcaps.commands.options import add_options, existing_path, print_json
from qcaps.commands.terminal import console

if TYPE_CHECKING:
    import argparse


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.description = (
        "A table for people: times and counts of two results files. It judges nothing; 'qcaps gate A B' does."
    )
    parser.add_argument("a", type=existing_path, metavar="A", help="a results file")
    parser.add_argument("b", type=existing_path, metavar="B", help="another")
    add_options(parser, "json", color="auto")
    parser.epilog = "Example: qcaps compare before/results.json after/results.json"


def run(args: argparse.Namespace) -> int:
    """Print the table; 4 if the files have nothing in common."""
    from qcaps.measure.gate import stored  # `--help` need not pay for any of this
    from qcaps.measure.gate.arms import MismatchError
    from qcaps.report import two_files

    found = two_files.differences(stored.read(args.a), stored.read(args.b))
    if not any(one.ratio for one in found):
        raise MismatchError(f"{args.a} and {args.b} have no benchmark in common: measure the same suite")
    if args.json:
        print_json("comparison", {"benchmarks": two_files.to_json(found)})
    else:
        screen = console()
        screen.print(two_files.table(found, screen.width))
    return 0
