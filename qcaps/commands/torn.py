"""`qcaps torn`: what tasks do while another process replaces the QEMU binary."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from qcaps.commands.measuring import check_new, interruptible
from qcaps.commands.options import FILE, add_options, number, print_json, whole
from qcaps.commands.terminal import console, progress_bar
from qcaps.errors import unknown
from qcaps.units import duration

if TYPE_CHECKING:
    import argparse

    from qcaps.measure.torn.experiment import Experiment
    from qcaps.measure.torn.torn_file import Found, TornRow

_MICRO = 1e-6
_LEGEND = """\
consistent: committed on one capability set, installed at that moment. torn: used two sets (in brackets: of
these refused, though either set alone accepts the domain). stale: committed on a set replaced before the
commit began. refused: on one set. aborted: undone, nothing committed. retried: undone, run again, and came
through. late: replaced between the start of the commit and the rename, which no policy can prevent.

ratio: time of a task over that of 'once', nothing being replaced, and its 95 % interval. window: from the
last check to the rename."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.description = (
        "Define a domain again and again while a second process replaces the QEMU binary at random times,\n"
        "and count what each policy made of it. The binary is a stand-in file; no QEMU is touched."
    )
    parser.add_argument(
        "suite", nargs="?", default="torn", help="a module in bench/torn/ that has arms() (torn)"
    )
    parser.add_argument("--tasks", type=whole(1), default=500, help="tasks an arm (500; the full run: 10000)")
    parser.add_argument(
        "--mean",
        type=number(0, 3_600_000, "milliseconds"),
        default=2.0,
        metavar="MS",
        help="milliseconds between replacements (2)",
    )
    add_options(
        parser,
        "force",
        "content",
        "json",
        "quiet",
        "verbose",
        seed=0,
        scenario=None,
        n=None,
        output=FILE,
    )
    parser.epilog = "Example: qcaps torn --tasks 10000 --output torn.json"


def run(args: argparse.Namespace) -> int:
    """Carry the experiment out; print a table, or JSON."""
    from qcaps.measure.torn import experiment as torn  # `--help` need not pay for the pipeline
    from qcaps.measure.torn import torn_file as tornfile

    check_new(args.output, force=args.force)
    experiment = _experiment(args)
    with interruptible(), progress_bar() as bar:
        tallies = torn.run(experiment, lambda done, of: bar(done, of, "tasks"))
    result = tornfile.found(experiment, tallies)
    if args.output is not None:
        tornfile.write(args.output, result)
    if args.json:
        print_json("torn", asdict(result))
    else:
        _print(result)
    return 0


def _experiment(args: argparse.Namespace) -> Experiment:
    from qcaps import content
    from qcaps.measure.torn.experiment import Experiment

    suites = args.content.files("bench/torn")
    if args.suite not in suites:
        raise unknown("torn suite", args.suite, suites)
    suite = args.content.load("bench/torn", args.suite)
    scenario = content.declared(suite, "SCENARIO", str)
    n = content.declared(suite, "N", int)
    arms = content.declared(suite, "arms", Callable)
    return Experiment(
        scenario=args.scenario or scenario,
        n=n if args.n is None else args.n,
        removed=tuple(content.declared(suite, "REMOVED", tuple)),
        arms=content.call(suite, lambda: tuple(arms())),
        tasks=args.tasks,
        mean=args.mean / 1000,
        seed=args.seed,
        content=args.content,
    )


_COLUMNS = (
    "tasks", "swaps", "consistent", "torn", "stale", "refused", "aborted", "retried", "late", "task", "ratio",
    "window",
)  # fmt: skip


def _print(result: Found) -> None:
    from qcaps.report.fitting import fitted  # not for --help

    screen = console()
    drop = ("window", "ratio", "task", "late", "swaps", "retried", "refused")
    screen.print(fitted(("policy", *_COLUMNS), [_cells(row) for row in result.rows], screen.width, drop=drop))
    print()
    done = (
        f"{result.scenario}/{result.n}, define; binary replaced {result.swaps} times,"
        f" {duration(result.mean_ms / 1000)} between; every second set lacks {', '.join(result.removed)}"
    )
    for paragraph in (
        done,
        *_LEGEND.split("\n\n"),
    ):
        screen.print(" ".join(paragraph.split()))


def _cells(row: TornRow) -> tuple[str, ...]:
    counts: dict[str, Any] = asdict(row)
    special = {
        "torn": f"{row.torn} ({row.torn_refused})",
        "task": duration(row.quiet_us * _MICRO),
        "ratio": f"{row.ratio:.2f} [{row.ratio_low:.2f}, {row.ratio_high:.2f}]",
        "window": duration(row.window_us * _MICRO) if row.window_us else "-",
    }
    return (row.name, *(special.get(name, str(counts.get(name))) for name in _COLUMNS))
