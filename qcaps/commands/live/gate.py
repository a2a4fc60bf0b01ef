"""`qcaps live gate`: two builds of libvirt against each other: counts exactly, times in pairs."""

from __future__ import annotations

import math
import random
from contextlib import closing
from itertools import islice
from typing import TYPE_CHECKING, Any

from qcaps.commands.live.cells import LiveCell, add_cells, cells_of
from qcaps.commands.live.output import finish, with_progress
from qcaps.commands.live.pairs import RUNS, opener, version
from qcaps.commands.live.subject import add_libvirt
from qcaps.commands.options import add_options, percent
from qcaps.commands.terminal import say
from qcaps.errors import UsageError
from qcaps.live.errors import LiveError

if TYPE_CHECKING:
    import argparse

    from qcaps.live.count import Count

REGRESSION, UNDECIDED = 1, 3


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the action's arguments."""
    add_cells(parser)
    for side in ("base", "head"):
        add_libvirt(parser, f"--{side}-libvirt")
    parser.add_argument(
        "--delta", type=percent, default=1.0, metavar="PERCENT", help="slower by more is a regression (1)"
    )
    parser.add_argument(
        "--margin", type=percent, default=3.0, metavar="PERCENT", help="slower by surely less passes (3)"
    )
    add_options(parser, "counts_only", "strict", "json", "quiet", "verbose", color="auto")


def run(args: argparse.Namespace) -> int:
    """Counts exactly, then times, until every cell has a verdict."""
    if not args.delta < args.margin:
        raise UsageError(f"--margin {args.margin:g}: expected beyond --delta, {args.delta:g}")
    cells = cells_of(args)
    rows = _counted(args, cells)
    worse = any(row["counts"] == "more" for row in rows)
    if not worse and not args.counts_only:
        draw = random.Random(args.seed)
        for row, cell in zip(rows, with_progress(cells), strict=True):
            row.update(_judged(args, cell, draw))
    versions = " against ".join(version(place) for place in (args.head_libvirt, args.base_libvirt))
    finish(args, {"libvirt": versions, "counted_by": "interposer"}, "cells", rows)
    verdicts = {row.get("verdict", "PASS") for row in rows}
    if worse:
        say("head looks up or forks more often than base")
    if worse or "FAIL" in verdicts:
        return REGRESSION
    return UNDECIDED if args.strict and verdicts - {"PASS", "IMPROVED"} else 0


def _counted(args: argparse.Namespace, cells: list[LiveCell]) -> list[dict[str, Any]]:
    """A row for each cell, with the counts of both; raises LiveError where one of them refuses."""
    from qcaps.live.count import count  # lxml

    counts: list[list[Count]] = []
    for place in (args.base_libvirt, args.head_libvirt):
        with opener(place, "interposer")() as subject:
            counts.append([_accepted(count(subject, *cell)) for cell in cells])
    return [compared(base, head) for base, head in zip(*counts, strict=True)]


def _accepted(one: Count) -> Count:
    if one.error is not None:
        raise LiveError(f"{one.scenario} -n {one.n} {one.task}: {one.error}")
    return one


def compared(base: Count, head: Count) -> dict[str, Any]:
    """The counts of one cell side by side, and whether head's are equal, more or fewer."""
    lookups, forks = ((getattr(base, name) or 0, getattr(head, name) or 0) for name in ("lookups", "forks"))
    more = lookups[1] > lookups[0] or forks[1] > forks[0]
    same = lookups[1] == lookups[0] and forks[1] == forks[0]
    return {
        "scenario": base.scenario,
        "n": base.n,
        "task": base.task,
        "base_lookups": lookups[0],
        "head_lookups": lookups[1],
        "law": base.law,
        "counts": "more" if more else "equal" if same else "fewer",
    }


def _judged(args: argparse.Namespace, cell: LiveCell, draw: random.Random) -> dict[str, Any]:
    """Ratio, interval and verdict of one cell; as many pairs as it takes."""
    from qcaps.live.live_pairs import pairs
    from qcaps.measure.gate.verdict import Margins, judge

    _, _, task, xml = cell
    margins = Margins(args.delta / 100, args.margin / 100)
    differences: list[float] = []
    judgement = judge(differences, margins)
    openers = (opener(args.base_libvirt), opener(args.head_libvirt))
    with closing(pairs(openers, task, xml, RUNS, draw)) as taken:
        while judgement.verdict is None:
            wanted = islice(taken, judgement.wanted - len(differences))
            differences += [math.log(pair.head / pair.base) for pair in wanted]
            judgement = judge(differences, margins)
    found = judgement.interval
    assert found is not None
    return {
        "ratio": found.ratio, "low": found.low, "high": found.high,
        "pairs": len(differences), "verdict": str(judgement.verdict),
    }  # fmt: skip
