"""`qcaps compare`: two results files side by side."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.description = (
        "A table for people: times and counts of two results files. It judges nothing; 'qcaps gate A B' does."
    )
    parser.add_argument("a", type=Path, metavar="A", help="a results file")
    parser.add_argument("b", type=Path, metavar="B", help="another")
    parser.add_argument("--json", action="store_true", help="print a JSON array")
    parser.epilog = "Example: qcaps compare before/results.json after/results.json"


def run(args: argparse.Namespace) -> int:
    """Print the table; 4 if the files have nothing in common."""
    from rich.console import Console  # `--help` need not pay for any of this

    from qcaps.measure.gate import stored
    from qcaps.measure.gate.arms import MismatchError
    from qcaps.report import comparison

    found = comparison.differences(stored.read(args.a), stored.read(args.b))
    if not any(one.ratio for one in found):
        raise MismatchError(f"{args.a} and {args.b} have no benchmark in common: measure the same suite")
    if args.json:
        print(json.dumps(comparison.to_json(found), indent=2))
    else:
        Console(width=None if sys.stdout.isatty() else 160).print(comparison.table(found))
    return 0
