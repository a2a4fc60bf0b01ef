"""`qcaps live whatif`: a task as it is, against one lookup a task."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from qcaps.commands.live.cells import add_cells, cells_of
from qcaps.commands.live.keeping import check_output, keeper
from qcaps.commands.live.output import facts, finish, with_progress
from qcaps.commands.live.subject import add_daemon, add_libvirt, subject_of
from qcaps.commands.live.time import add_runs
from qcaps.commands.options import FILE, add_options
from qcaps.commands.terminal import say
from qcaps.errors import UsageError

if TYPE_CHECKING:
    import argparse

    from qcaps.live.counting.meter import Cost
    from qcaps.live.host.libvirt_process import LibvirtProcess

PARSING = (
    "define", "define-validated", "redefine", "createXML", "xmlToNative", "attach", "detach", "update",
    "dumpxml-cpu",
)  # fmt: skip
"""Tasks that parse a domain, or a copy of it, and can look up once."""

ONCE_ALREADY = "looks up once already: nothing to spare"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the action's arguments."""
    add_libvirt(parser)
    add_cells(parser)
    add_daemon(parser)
    add_runs(parser)
    add_options(parser, "force", "json", "quiet", "verbose", output=FILE, color="auto")


def run(args: argparse.Namespace) -> int:
    """Time each cell both ways; 1 if libvirt refused one."""
    from statistics import median

    from qcaps.live.count import UNSETTLED
    from qcaps.live.errors import LiveError
    from qcaps.measure.statistics import paired_ratio  # numpy

    rows = []
    refused = unsettled = False
    _check_parsing(args.task)
    cells, runs = cells_of(args), args.runs
    check_output(args.output, force=args.force)
    order = _interleaved(runs, args.seed)
    with subject_of(args, "interposer") as subject:
        keep = keeper(args, subject)
        for cell in with_progress(cells):
            scenario, n, task, xml = cell
            row: dict[str, Any] = {"scenario": scenario, "n": n, "task": task, **dict.fromkeys(_MEASURED)}
            rows.append(row)
            try:
                warmups, settled = _warm_up(subject, task, xml)
                unsettled = unsettled or not settled
                _check_seen(warmups[0])
                row |= {"lookups": warmups[0].lookups, "lookups_once": warmups[1].lookups}
                if not warmups[1].answered:
                    row["note"] = ONCE_ALREADY if warmups[0].lookups else "looks up nothing"
                    continue
                costs = list(zip(order, subject.costs(task, xml, order), strict=True))
            except LiveError as error:
                if type(error) is not LiveError:
                    raise  # it died, or was never there: no row is left to measure
                row["note"], refused = str(error), True
                continue
            as_is = [cost for once, cost in costs if not once]
            once = [cost for once, cost in costs if once]
            keep(cell, (warmups[0], *as_is), (warmups[1], *once))
            ratio = paired_ratio([one.ns for one in as_is], [one.ns for one in once])
            row |= {
                "lookups": as_is[-1].lookups, "lookups_once": once[-1].lookups,
                "seconds": median(one.ns for one in as_is) / 1e9,
                "seconds_once": median(one.ns for one in once) / 1e9,
                "speedup": ratio.ratio, "low": ratio.low, "high": ratio.high, "pairs": ratio.pairs,
            }  # fmt: skip
        about = facts(subject)
    if not any(row["note"] for row in rows) and not args.json:
        rows = [{name: value for name, value in row.items() if name != "note"} for row in rows]
    finish(args, about, "speedups", rows)
    if unsettled:
        say(f"warning: {UNSETTLED}")
    return 1 if refused else 0


_MEASURED = (
    "lookups", "lookups_once", "seconds", "seconds_once", "speedup", "low", "high", "pairs", "note",
)  # fmt: skip


def _warm_up(subject: LibvirtProcess, task: str, xml: str) -> tuple[tuple[Cost, ...], bool]:
    """One run as it is and one with one lookup, whose counts are those of the runs before, if they settle."""
    from qcaps.live.count import RUNS_TO_SETTLE

    done = subject.costs(task, xml, [False, True])
    for _ in range(RUNS_TO_SETTLE - 1):
        before, done = done, subject.costs(task, xml, [False, True])
        if _counts(before) == _counts(done):
            return done, True
    return done, False


def _counts(costs: tuple[Cost, ...]) -> list[tuple[int | None, int | None]]:
    return [(cost.lookups, cost.forks) for cost in costs]


def _check_seen(as_is: Cost) -> None:
    """What looks up unseen cannot be answered by us."""
    from qcaps.live.errors import NoLibvirt

    if as_is.lookups and not as_is.sites:
        raise NoLibvirt(
            "one lookup a task cannot be tried on this libvirt: it binds its own calls when it is linked "
            "(-Bsymbolic-functions)"
        )


def _check_parsing(tasks: list[str]) -> None:
    for task in tasks:
        if task not in PARSING:
            raise UsageError(f"{task} parses no domain: choose from {', '.join(PARSING)}")


def _interleaved(pairs: int, seed: int) -> list[bool]:
    """As it is and once, `pairs` of each; which comes first in a pair is drawn."""
    draw = random.Random(seed)
    return [once for _ in range(pairs) for once in draw.sample((False, True), 2)]
