"""The actions of `qcaps live`."""

from __future__ import annotations

import json
import os
import random
import shutil
import sys
import time as clock
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from qcaps.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from qcaps.live.embedded import Counting, Embedded
    from qcaps.live.meter import Cost

Cell = tuple[str, int, str, str]
"""Scenario, n, task, and the domain as XML."""

PARSING = ("define", "define-validated", "redefine", "createXML", "xmlToNative", "attach", "detach", "update")
"""Tasks that can look up once a domain parse."""

_LEFT = ("scenario", "task", "verdict")


def count(args: argparse.Namespace) -> int:
    from qcaps.live.count import STORM, count  # noqa: PLC0415  # `--help` need not pay for lxml

    cells = _cells(args)
    with _embedded(args, args.counting) as subject:
        counts = [count(subject, *cell) for cell in _with_progress(cells)]
        facts = _facts(subject)
    rows = [{**asdict(one), "verdict": one.verdict} for one in counts]
    if args.json:
        print(json.dumps({**facts, "counts": rows}, indent=2))
    else:
        _print(facts, rows, ("scenario", "n", "task", "devices", "lookups", "law", "forks", "verdict"))
    for one in counts:
        if one.error is not None:
            _say(f"{one.scenario} -n {one.n} {one.task}: {one.error}")
    more = [one for one in counts if one.verdict == "more"]
    if more:
        _say(
            f"libvirt {facts['libvirt']} looks up more often than the law: {len(more)} of {len(counts)} cells"
        )
    if any(one.storm for one in counts):
        _say(f"warning: {STORM}")
    return 1 if more or any(one.error is not None for one in counts) else 0


def time(args: argparse.Namespace) -> int:
    from statistics import median  # noqa: PLC0415  # 10 ms that `--help` need not pay

    rows = []
    cells, runs = _cells(args), _runs(args)
    with _embedded(args, "interposer") as subject:
        for scenario, n, task, xml in _with_progress(cells):
            subject.costs(task, xml)
            costs = subject.costs(task, xml, [False] * runs)
            ns = median(cost.ns for cost in costs)
            in_lookups = median((cost.lookup_ns or 0) / cost.ns for cost in costs)
            lookups = costs[-1].lookups
            rows.append({
                "scenario": scenario, "n": n, "task": task, "lookups": lookups, "seconds": ns / 1e9,
                "share_of_lookups": in_lookups,
                "seconds_a_lookup": in_lookups * ns / 1e9 / lookups if lookups else None,
                "runs": runs,
            })  # fmt: skip
        facts = _facts(subject)
    return _finish(args, facts, "times", rows)


def whatif(args: argparse.Namespace) -> int:
    from statistics import median  # noqa: PLC0415

    from qcaps.measure.statistics import paired_ratio  # noqa: PLC0415  # numpy

    rows = []
    _check_parsing(args.task)
    cells, runs = _cells(args), _runs(args)
    order = _interleaved(runs, args.seed)
    with _embedded(args, "interposer") as subject:
        for scenario, n, task, xml in _with_progress(cells):
            subject.costs(task, xml, [False, True])
            costs = list(zip(order, subject.costs(task, xml, order), strict=True))
            as_is = [cost for once, cost in costs if not once]
            once = [cost for once, cost in costs if once]
            _check_spared(as_is[-1], once[-1])
            ratio = paired_ratio([one.ns for one in as_is], [one.ns for one in once])
            rows.append({
                "scenario": scenario, "n": n, "task": task,
                "lookups": as_is[-1].lookups, "lookups_once": once[-1].lookups,
                "seconds": median(one.ns for one in as_is) / 1e9,
                "seconds_once": median(one.ns for one in once) / 1e9,
                "speedup": ratio.ratio, "low": ratio.low, "high": ratio.high, "pairs": ratio.pairs,
            })  # fmt: skip
        facts = _facts(subject)
    return _finish(args, facts, "speedups", rows)


def probe(args: argparse.Namespace) -> int:
    from qcaps.capabilities import cachefile  # noqa: PLC0415  # lxml
    from qcaps.capabilities.probe import probe  # noqa: PLC0415
    from qcaps.live.comparison import differences  # noqa: PLC0415

    binary = os.path.abspath(shutil.which(args.binary) or args.binary)  # noqa: PTH100 - symbolic links are kept
    start = clock.perf_counter()
    ours = probe(binary)
    seconds = clock.perf_counter() - start
    with _embedded(args, "interposer") as subject:
        cost, text = subject.probe(binary)
        facts = _facts(subject)
    found = differences(
        ours, cachefile.parse(text.encode(), f"libvirt's cache file of {binary}").capabilities
    )
    answer = {
        **facts,
        "binary": binary,
        "seconds": seconds,
        "libvirt_seconds": cost.ns / 1e9,
        "flags": len(ours.flags),
        "machines": {one.name: len(one.machines) for one in ours.accelerators},
        "cpus": {one.name: len(one.cpus) for one in ours.accelerators},
        "differences": found,
    }
    if args.json:
        print(json.dumps(answer, indent=2))
    else:
        counts = ", ".join(
            f"{len(one.machines)} machine types and {len(one.cpus)} CPU models ({one.name})"
            for one in ours.accelerators
        )
        print(f"{binary}: {len(ours.flags)} flags, {counts}")
        print(f"our probe {seconds:.3f} s, libvirt's {cost.ns / 1e9:.3f} s; {len(found) or 'no'} differences")
        print("".join(f"{line}\n" for line in found) + _said(facts))
    return 1 if found else 0


def _cells(args: argparse.Namespace) -> list[Cell]:
    """Every combination; raises UsageError before anything is started."""
    from qcaps.live.tasks import TASKS  # noqa: PLC0415  # lxml
    from qcaps.scenario import scenario  # noqa: PLC0415

    for task in args.task:
        if task not in TASKS:
            raise UsageError(f"no task {task!r}: choose from {', '.join(TASKS)}")
    return [
        (name, n, task, scenario(name, args.content).xml(n, args.seed))
        for name in args.scenario
        for n in args.n
        for task in args.task
    ]


def _runs(args: argparse.Namespace) -> int:
    if args.runs < 1:
        raise UsageError(f"--runs {args.runs}: expected at least 1")
    runs: int = args.runs
    return runs


def _check_parsing(tasks: list[str]) -> None:
    for task in tasks:
        if task not in PARSING:
            raise UsageError(f"{task} parses no domain: choose from {', '.join(PARSING)}")


def _check_spared(as_is: Cost, once: Cost) -> None:
    from qcaps.live.errors import LiveError  # noqa: PLC0415

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


@contextmanager
def _embedded(args: argparse.Namespace, counting: Counting | None) -> Iterator[Embedded]:
    from qcaps.live.embedded import Embedded  # noqa: PLC0415  # lxml, subprocess

    with Embedded(counting, args.libvirt) as subject:
        yield subject
        if subject.fallback:
            _say(f"counted by the debug log: {subject.fallback}")


def _facts(subject: Embedded) -> dict[str, Any]:
    return {
        "libvirt": subject.installation.version_name,
        "library": str(subject.installation.library),
        "counted_by": subject.counted_by,
    }


def _with_progress(cells: list[Cell]) -> Iterator[Cell]:
    """The cells; a bar on standard error while that is a terminal."""
    if not sys.stderr.isatty():
        yield from cells
        return
    from rich.console import Console  # noqa: PLC0415
    from rich.progress import track  # noqa: PLC0415

    yield from track(cells, description="asking libvirt", console=Console(stderr=True), transient=True)


def _finish(args: argparse.Namespace, facts: dict[str, Any], what: str, rows: list[dict[str, Any]]) -> int:
    if args.json:
        print(json.dumps({**facts, what: rows}, indent=2))
    else:
        _print(facts, rows, tuple(rows[0]))
    return 0


def _print(facts: dict[str, Any], rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> None:
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(
            column.replace("_", " "), justify="left" if column in _LEFT else "right", no_wrap=True
        )
    for row in rows:
        table.add_row(*(_text(column, row[column]) for column in columns))
    # a table for a file or a pipe is as wide as it needs to be
    Console(width=None if sys.stdout.isatty() else 160).print(table)
    print(_said(facts))


def _said(facts: dict[str, Any]) -> str:
    return f"libvirt {facts['libvirt']} ({facts['library']}), counted by the {facts['counted_by']}"


def _text(column: str, value: Any) -> str:  # noqa: ANN401  # what JSON has
    from qcaps.report.table import duration  # noqa: PLC0415

    if value is None:
        return "-"
    if column.startswith("seconds"):
        return duration(value)
    if column.startswith("share"):
        return f"{value:.0%}"
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def _say(line: str) -> None:
    print("qcaps:", " ".join(line.split()), file=sys.stderr)
