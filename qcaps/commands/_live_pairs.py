"""`qcaps live gate` and `overhead`: two libvirts side by side."""

from __future__ import annotations

import math
import random
from contextlib import closing
from itertools import islice
from typing import TYPE_CHECKING, Any

from qcaps.commands._live import cells_of
from qcaps.commands._live_output import Cell, finish, with_progress
from qcaps.commands._measuring import say
from qcaps.errors import UsageError
from qcaps.live.errors import LiveError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable
    from pathlib import Path

    from qcaps.live.count import Count
    from qcaps.live.host.process import Counting, LibvirtProcess

REGRESSION, UNDECIDED = 1, 3
_RUNS = 5


def gate(args: argparse.Namespace) -> int:
    """Counts exactly, then times, until every cell has a verdict."""
    if not -100 < args.delta < args.margin:  # noqa: PLR2004  # percent
        raise UsageError(f"--margin {args.margin:g}: expected beyond --delta, {args.delta:g}")
    cells = cells_of(args)
    rows = _counted(args, cells)
    worse = any(row["counts"] == "more" for row in rows)
    if not worse and not args.counts_only:
        draw = random.Random(args.seed)
        for row, cell in zip(rows, with_progress(cells), strict=True):
            row.update(_judged(args, cell, draw))
    versions = " against ".join(_version(place) for place in (args.head_libvirt, args.base_libvirt))
    finish(args, {"libvirt": versions, "counted_by": "interposer"}, "cells", rows)
    verdicts = {row.get("verdict", "PASS") for row in rows}
    if worse:
        say("head looks up or forks more often than base")
    if worse or "FAIL" in verdicts:
        return REGRESSION
    return UNDECIDED if args.strict and verdicts - {"PASS", "IMPROVED"} else 0


def overhead(args: argparse.Namespace) -> int:
    """How much longer a task takes while it is counted, by each way of counting."""
    from qcaps.live.pairs import pairs
    from qcaps.measure.statistics import paired_ratio  # numpy

    if args.pairs < 1:
        raise UsageError(f"--pairs {args.pairs}: expected at least 1")
    ways: tuple[Counting, ...] = ("interposer", "log")
    rows = []
    for scenario, n, task, xml in with_progress(cells_of(args)):
        for way in ways:
            openers = (_opener(args.libvirt, "none"), _opener(args.libvirt, way))
            with closing(pairs(openers, task, xml, _RUNS, random.Random(args.seed))) as taken:
                found = list(islice(taken, args.pairs))
            ratio = paired_ratio([pair.head for pair in found], [pair.base for pair in found])
            rows.append({
                "scenario": scenario, "n": n, "task": task, "way": way, "percent": 100 * (ratio.ratio - 1),
                "low": 100 * (ratio.low - 1), "high": 100 * (ratio.high - 1), "pairs": ratio.pairs,
            })  # fmt: skip
    return finish(
        args,
        {"libvirt": _version(args.libvirt), "counted_by": "way in the table, against not at all"},
        "overheads",
        rows,
    )


def _opener(libvirt: Path | None, counting: Counting = "none") -> Callable[[], LibvirtProcess]:
    from qcaps.live.host.embedded import Embedded  # lxml, subprocess

    return lambda: Embedded(counting, libvirt)


def _version(libvirt: Path | None) -> str:
    from qcaps.live.host.installation import find

    return find(libvirt).version_name


def _counted(args: argparse.Namespace, cells: list[Cell]) -> list[dict[str, Any]]:
    """A row for each cell, with the counts of both; raises LiveError where one of them refuses."""
    from qcaps.live.count import count  # lxml

    counts: list[list[Count]] = []
    for place in (args.base_libvirt, args.head_libvirt):
        with _opener(place, "interposer")() as subject:
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


def _judged(args: argparse.Namespace, cell: Cell, draw: random.Random) -> dict[str, Any]:
    """Ratio, interval and verdict of one cell; as many pairs as it takes."""
    from qcaps.live.pairs import pairs
    from qcaps.measure.gate.verdict import Margins, judge

    _, _, task, xml = cell
    margins = Margins(args.delta / 100, args.margin / 100)
    differences: list[float] = []
    judgement = judge(differences, margins)
    openers = (_opener(args.base_libvirt), _opener(args.head_libvirt))
    with closing(pairs(openers, task, xml, _RUNS, draw)) as taken:
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
