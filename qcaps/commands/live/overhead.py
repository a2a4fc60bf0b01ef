"""`qcaps live overhead`: how much longer a task takes while it is counted."""

from __future__ import annotations

import random
from contextlib import closing
from itertools import islice
from typing import TYPE_CHECKING

from qcaps.commands.live.cells import add_cells, cells_of
from qcaps.commands.live.output import finish, with_progress
from qcaps.commands.live.pairs import RUNS, opener, version
from qcaps.commands.live.subject import add_libvirt
from qcaps.commands.options import add_options

if TYPE_CHECKING:
    import argparse

    from qcaps.live.host.libvirt_process import Counting


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the action's arguments."""
    add_libvirt(parser)
    add_cells(parser)
    add_options(parser, "json", "quiet", "verbose", pairs=48, color="auto")


def run(args: argparse.Namespace) -> int:
    """How much longer a task takes while it is counted, by each way of counting."""
    from qcaps.live.live_pairs import pairs
    from qcaps.measure.statistics import paired_ratio  # numpy

    ways: tuple[Counting, ...] = ("interposer", "log")
    rows = []
    for scenario, n, task, xml in with_progress(cells_of(args)):
        for way in ways:
            openers = (opener(args.libvirt, "none"), opener(args.libvirt, way))
            with closing(pairs(openers, task, xml, RUNS, random.Random(args.seed))) as taken:
                found = list(islice(taken, args.pairs))
            ratio = paired_ratio([pair.head for pair in found], [pair.base for pair in found])
            rows.append({
                "scenario": scenario, "n": n, "task": task, "way": way, "percent": 100 * (ratio.ratio - 1),
                "low": 100 * (ratio.low - 1), "high": 100 * (ratio.high - 1), "pairs": ratio.pairs,
            })  # fmt: skip
    return finish(
        args,
        {"libvirt": version(args.libvirt), "counted_by": "way in the table, against not at all"},
        "overheads",
        rows,
    )
