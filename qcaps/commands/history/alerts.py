"""`qcaps history alerts`: what became worse and is not acknowledged, for a nightly job."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcaps.commands.history.known import add_acknowledged, known_events
from qcaps.commands.history.telling import event_lines
from qcaps.commands.options import add_options, print_json

if TYPE_CHECKING:
    import argparse

REGRESSION, UNDECIDED = 1, 3


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the action's arguments."""
    add_acknowledged(parser)
    parser.add_argument("--all", action="store_true", help="say what is better or acknowledged, too")
    add_options(parser, "strict", "json")


def run(args: argparse.Namespace) -> int:
    """0 nothing is worse that was not acknowledged, 1 something is, 3 (`--strict`) something is suspected."""
    from qcaps.history.store import reading  # `--help` need not pay for any of this

    with reading(args.store) as store:
        found = known_events(args, store)
    worse = [one for one in found if one.worse and not one.acknowledged]
    suspected = [one for one in found if not one.settled and not one.acknowledged]
    status = REGRESSION if worse else UNDECIDED if suspected and args.strict else 0
    if args.json:
        print_json("history-alerts", {"status": status, "events": [one.to_plain() for one in found]})
        return status
    for event in found if args.all else (*worse, *suspected):
        print("\n".join(event_lines(event)))
    print(
        f"{args.store}: {len(worse)} alerts, {len(suspected)} suspected,"
        f" {sum(bool(one.acknowledged) for one in found)} acknowledged, {len(found)} events in all"
    )
    return status
