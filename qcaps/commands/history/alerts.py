"""`qcaps history alerts`: what became worse and is not acknowledged, for a nightly job."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qcaps.commands.history.telling import event_lines
from qcaps.commands.options import add_options, existing_path, print_json

if TYPE_CHECKING:
    import argparse

REGRESSION, UNDECIDED = 1, 3


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the action's arguments."""
    parser.add_argument(
        "--repo",
        type=existing_path,
        metavar="DIR",
        default=Path(),
        help="where revisions are from (default: .)",
    )
    parser.add_argument(
        "--acknowledged",
        type=existing_path,
        metavar="FILE",
        help="what is known (default: qcaps-acknowledged.toml in the repository, if it is there)",
    )
    parser.add_argument("--all", action="store_true", help="say what is better or acknowledged, too")
    add_options(parser, "strict", "json")


def run(args: argparse.Namespace) -> int:
    """0 nothing is worse that was not acknowledged, 1 something is, 3 (`--strict`) something is suspected."""
    from qcaps.history import events, records, targets, track  # `--help` need not pay for any of this
    from qcaps.history.store import reading

    with reading(args.store) as store:
        found = events.events(track.read_all(store), records.revisions(store))
        of_commits = records.about(store, records.LINE) != targets.LIBVIRTS
    entries = events.read_acknowledgements(args.acknowledged or args.repo / events.ACKNOWLEDGED)
    found = events.acknowledge(found, entries, args.repo if of_commits else None)
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
