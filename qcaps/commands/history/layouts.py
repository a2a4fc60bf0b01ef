"""`qcaps history layouts`: what the layout of a C build is worth, by building one commit again and again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcaps.commands.building import recipe_of
from qcaps.commands.history.measure import INTERRUPTED, NOISY, add_session, session_of
from qcaps.commands.measuring import interruptible, scratch_place
from qcaps.commands.options import print_json, whole
from qcaps.commands.terminal import progress_bar, say
from qcaps.errors import UsageError

if TYPE_CHECKING:
    import argparse


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the action's arguments."""
    parser.add_argument("revision", metavar="REV", help="a commit of a libvirt, built by --build")
    parser.add_argument(
        "--times", type=whole(3, 100), default=10, metavar="N", help="how often it is built (default: 10)"
    )
    add_session(parser)


def run(args: argparse.Namespace) -> int:
    """Build, time, and say what layouts scatter by; 3 if the host was too noisy."""
    from qcaps.files import scratch_folder  # `--help` need not pay for any of this
    from qcaps.history import commits, layout, rebuilding, records, targets
    from qcaps.history.store import writing

    recipe = recipe_of(args)
    if recipe is None:
        raise UsageError(
            "a layout is a C build's: --build says how a libvirt is built ($QCAPS_LAYOUT numbers it)"
        )
    args.pairs = args.pairs or 16
    revision = commits.commits(args.repo, args.revision)[-1]
    interrupted = False
    with writing(args.store) as store, scratch_folder(scratch_place(args.scratch)) as scratch:
        line = commits.line(args.repo)
        records.check_line(store, line)
        session = session_of(args, store, scratch, on_libvirt=True)
        with store.transaction() as connection:
            records.set_about(connection, records.LINE, line)
        (target,) = targets.of_commits([revision], recipe)
        try:
            with interruptible(), progress_bar() as bar:
                session.on_progress = lambda what: bar(0, args.times, what)
                rebuilding.measure(session, target, args.times)
        except KeyboardInterrupt:
            interrupted = True
        known = records.benchmarks(store)
        found = {cell.name: layout.scatter(store, number) for number, cell in known.items()}
    if interrupted:
        say(f"interrupted; what was measured is in {args.store}, and the same command goes on")
        return INTERRUPTED
    if args.json:
        plain = {"revision": revision.name, "scatter": found, "noisy": session.noisy}
        print_json("history-layouts", plain)
    else:
        for name, share in found.items():
            print(f"{name}: layouts scatter by {100 * share:.2f} % (standard deviation)")
        if session.noisy:
            print(f"not everything was timed: {session.noisy}")
    return NOISY if session.noisy else 0
