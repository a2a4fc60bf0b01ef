"""Events as alerts and the page show them: with what the repository acknowledges."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcaps.commands.options import add_options, existing_path, whole

if TYPE_CHECKING:
    import argparse

    from qcaps.history.events import Event
    from qcaps.history.store import HistoryStore


def add_acknowledged(parser: argparse.ArgumentParser) -> None:
    """--repo and --acknowledged."""
    add_options(parser, "repo")
    parser.add_argument(
        "--acknowledged",
        type=existing_path,
        metavar="FILE",
        help="what is known (default: qcaps-acknowledged.toml in the repository, if it is there)",
    )


def add_environment(parser: argparse.ArgumentParser) -> None:
    """--environment."""
    parser.add_argument(
        "--environment",
        type=whole(1),
        metavar="N",
        default=0,
        help="what was measured in this one; 'prune --list' names them",
    )


def known_events(args: argparse.Namespace, store: HistoryStore) -> list[Event]:
    """All events of a store. Raises UsageError for a file of acknowledgements that is wrong."""
    from qcaps.history import events, records, targets, track  # ruptures, numpy

    found = events.events(track.read_all(store), records.revisions(store))
    entries = events.read_acknowledgements(args.acknowledged or args.repo / events.ACKNOWLEDGED)
    of_commits = records.about(store, records.LINE) != targets.LIBVIRTS
    return events.acknowledge(found, entries, args.repo if of_commits else None)
