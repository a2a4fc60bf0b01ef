"""`qcaps live whatif`: a task as it is, against one lookup a task."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from qcaps.commands.live.cells import add_cells, cells_of
from qcaps.commands.live.keeping import check_output, keeper
from qcaps.commands.live.output import facts, finish, with_progress
from qcaps.commands.live.subject import add_daemon, add_libvirt, subject_of
from qcaps.commands.live.time import add_runs
from qcaps.commands.options import FILE, add_options
from qcaps.errors import UsageError

if TYPE_CHECKING:
    import argparse

    from qcaps.live.counting.meter import Cost

PARSING = ("define", "define-validated", "redefine", "createXML", "xmlToNative", "attach", "detach", "update")
"""Tasks that can look up once a domain parse."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the action's arguments."""
    add_libvirt(parser)
    add_cells(parser)
    add_daemon(parser)
    add_runs(parser)
    add_options(parser, "force", "json", "quiet", "verbose", output=FILE, color="auto")


def run(args: argparse.Namespace) -> int:
    """Time each cell both ways."""
    from statistics import median

    from qcaps.measure.statistics import paired_ratio  # numpy

    rows = []
    _check_parsing(args.task)
    cells, runs = cells_of(args), args.runs
    check_output(args.output, force=args.force)
    order = _interleaved(runs, args.seed)
    with subject_of(args, "interposer") as subject:
        keep = keeper(args, subject)
        for cell in with_progress(cells):
            scenario, n, task, xml = cell
            warmups = subject.costs(task, xml, [False, True])
            costs = list(zip(order, subject.costs(task, xml, order), strict=True))
            as_is = [cost for once, cost in costs if not once]
            once = [cost for once, cost in costs if once]
            _check_spared(as_is[-1], once[-1])
            keep(cell, (warmups[0], *as_is), (warmups[1], *once))
            ratio = paired_ratio([one.ns for one in as_is], [one.ns for one in once])
            rows.append({
                "scenario": scenario, "n": n, "task": task,
                "lookups": as_is[-1].lookups, "lookups_once": once[-1].lookups,
                "seconds": median(one.ns for one in as_is) / 1e9,
                "seconds_once": median(one.ns for one in once) / 1e9,
                "speedup": ratio.ratio, "low": ratio.low, "high": ratio.high, "pairs": ratio.pairs,
            })  # fmt: skip
        about = facts(subject)
    return finish(args, about, "speedups", rows)


def _check_parsing(tasks: list[str]) -> None:
    for task in tasks:
        if task not in PARSING:
            raise UsageError(f"{task} parses no domain: choose from {', '.join(PARSING)}")


def _check_spared(as_is: Cost, once: Cost) -> None:
    from qcaps.live.errors import LiveError

    if not as_is.phases["parse"][0]:
        raise LiveError(
            "one lookup a task cannot be tried on this libvirt: it binds its own calls when it is linked "
            "(-Bsymbolic-functions)"
        )
    if not once.answered:
        raise LiveError("this libvirt looks up once already: there is nothing to spare")


def _interleaved(pairs: int, seed: int) -> list[bool]:
    """As it is and once, `pairs` of each; which comes first in a pair is drawn."""
    draw = random.Random(seed)
    return [once for _ in range(pairs) for once in draw.sample((False, True), 2)]
