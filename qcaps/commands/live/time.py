"""`qcaps live time`: a task, and which share of its time is lookups."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcaps.commands.live.cells import add_cells, cells_of
from qcaps.commands.live.keeping import check_output, keeper
from qcaps.commands.live.output import facts, finish, with_progress
from qcaps.commands.live.subject import add_daemon, add_libvirt, subject_of
from qcaps.commands.options import FILE, add_options, whole

if TYPE_CHECKING:
    import argparse


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the action's arguments."""
    add_libvirt(parser)
    add_cells(parser)
    add_daemon(parser)
    add_runs(parser)
    add_options(parser, "force", "json", "quiet", "verbose", output=FILE, color="auto")


def add_runs(parser: argparse.ArgumentParser) -> None:
    """--runs."""
    parser.add_argument(
        "--runs", type=whole(1, 100_000), metavar="N", default=40, help="of each task (default: %(default)s)"
    )


def run(args: argparse.Namespace) -> int:
    """Time each cell."""
    from statistics import median  # 10 ms that `--help` need not pay

    rows = []
    cells, runs = cells_of(args), args.runs
    check_output(args.output, force=args.force)
    with subject_of(args, "interposer") as subject:
        keep = keeper(args, subject)
        for cell in with_progress(cells):
            scenario, n, task, xml = cell
            warmup = subject.costs(task, xml)
            costs = subject.costs(task, xml, [False] * runs)
            keep(cell, (*warmup, *costs), ())
            ns = median(cost.ns for cost in costs)
            in_lookups = median((cost.lookup_ns or 0) / cost.ns for cost in costs)
            lookups = costs[-1].lookups
            rows.append({
                "scenario": scenario, "n": n, "task": task, "lookups": lookups, "seconds": ns / 1e9,
                "share_of_lookups": in_lookups,
                "seconds_a_lookup": in_lookups * ns / 1e9 / lookups if lookups else None,
                "runs": runs,
            })  # fmt: skip
        about = facts(subject)
    return finish(args, about, "times", rows)
