"""`qcaps run`: measure policies against each other, and say what came out."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from qcaps.commands._measuring import interruptible, make_folder, progress_bar, say
from qcaps.errors import QcapsError, UsageError

if TYPE_CHECKING:
    import argparse

    from qcaps.measure.results.file import Results
    from qcaps.measure.schedule import Log, Plan
    from qcaps.measure.suite import Conclusions

INTERRUPTED = 130
QUICK_SECONDS = 30.0
_SCRATCH = ".qcaps-scratch-"
RESULTS, SUMMARY, TABLE = "results.json", "summary.json", "table.md"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.description = (
        "Time each policy against the baseline, side by side in one process, on domains that grow in n.\n"
        "Writes a results file (which pyperf reads too), a summary, a table and a report with figures."
    )
    parser.add_argument(
        "suite", nargs="?", help="what to measure: a module in bench/suites/ (default: default)"
    )
    for option, example in (
        ("scenario", "disks, or disks@pc"),
        ("policy", "naive, series, once"),
        ("task", "define, define+undefine, start"),
        ("validity", "fork, ctime, watch, trust"),
    ):
        parser.add_argument(
            f"--{option}",
            nargs="+",
            action="extend",
            default=[],
            metavar="NAME",
            help=f"in place of the suite's: {example}",
        )
    parser.add_argument("-n", nargs="+", action="extend", type=int, default=[], help="devices, likewise")
    parser.add_argument(
        "--baseline", default="naive", help="what the others are held against (default: naive)"
    )
    parser.add_argument("--quick", action="store_true", help="the suite 'quick'; stop measuring after 30 s")
    parser.add_argument("--pairs", type=int, help="blocks of each arm a process (default: 20, fewer if slow)")
    parser.add_argument("--processes", type=int, help="fresh processes a comparison (default: 4, --quick: 1)")
    parser.add_argument("--seed", type=int, default=0, help="draws the order of blocks and random devices")
    parser.add_argument(
        "--output", type=Path, metavar="DIR", default=Path("qcaps-results"), help="(default: ./qcaps-results)"
    )
    parser.add_argument(
        "--scratch", type=Path, metavar="DIR", help="where domains are saved (default: in the output folder)"
    )
    parser.add_argument("--content", type=Path, metavar="DIR", help="your own scenarios/, bench/, reports/")
    parser.add_argument("--json", action="store_true", help="print the summary as JSON, not the table")
    parser.epilog = "Example: qcaps run --scenario disks -n 1 16 64 --policy naive once --validity ctime"


def run(args: argparse.Namespace) -> int:
    """Measure, then report; 1 if something could not be measured, 130 if interrupted."""
    from qcaps.measure.schedule import Log  # `--help` need not pay for any of this

    plan, conclusions = _plan(args)
    output = make_folder(args.output)
    log = Log()
    interrupted = False
    try:
        with interruptible():
            _measure(plan, args, log)
    except KeyboardInterrupt:
        interrupted = True
    if not log.results.measured:
        if interrupted:
            raise KeyboardInterrupt
        raise QcapsError(f"nothing was measured: {next(iter(log.refused.values()), 'there was no time')}")
    _report(log.results, args, conclusions, figures=not interrupted)
    if interrupted:
        say(f"interrupted; {len(log.results.by_question())} comparisons are in {output / RESULTS}")
        return INTERRUPTED
    _complain(log)
    return 1 if log.refused else 0


def _plan(args: argparse.Namespace) -> tuple[Plan, Conclusions]:
    from dataclasses import replace  # 10 ms that `--help` need not pay

    from qcaps.measure.cell import TASKS
    from qcaps.measure.schedule import Plan, with_baseline
    from qcaps.measure.suite import Choice, choose, suite

    for task in args.task:
        if task not in TASKS:
            raise UsageError(f"no task {task!r}: choose from {', '.join(TASKS)}")
    _check_names(args)
    chosen = suite(args.suite or ("quick" if args.quick else "default"), args.content)
    choice = Choice(
        scenarios=tuple(args.scenario),
        ns=tuple(args.n),
        tasks=tuple(args.task),
        validities=tuple(args.validity),
        policies=tuple(args.policy),
    )
    cells = tuple(replace(cell, seed=args.seed) for cell in choose(chosen.cells, choice, args.content))
    processes = args.processes if args.processes is not None else 1 if args.quick else 4
    pairs = args.pairs if args.pairs is not None else 20
    for value, option in ((processes, "--processes"), (pairs, "--pairs")):
        if value < 1:
            raise UsageError(f"{option} {value}: expected at least 1")
    plan = Plan(
        cells=with_baseline(cells, args.baseline),
        pairs=pairs,
        processes=processes,
        seed=args.seed,
        limit=QUICK_SECONDS if args.quick else None,
        content=args.content,
    )
    return plan, chosen.conclusions


def _check_names(args: argparse.Namespace) -> None:
    """Raise UsageError for a policy or validity there is not, before anything is measured."""
    from qcaps.cache import validity
    from qcaps.lookups import policy

    for name in (*args.policy, args.baseline):
        policy.by_name(name)
    for name in args.validity:
        validity.by_name(name)


def _measure(plan: Plan, args: argparse.Namespace, log: Log) -> None:
    from qcaps.measure.schedule import measure

    folder = make_folder(args.scratch) if args.scratch else args.output
    _sweep(folder)
    with (
        tempfile.TemporaryDirectory(prefix=f"{_SCRATCH}{os.getpid()}-", dir=folder) as scratch,
        progress_bar() as progress,
    ):
        measure(plan, args.output / RESULTS, Path(scratch).absolute(), log, progress)


def _sweep(folder: Path) -> None:
    """Remove what a run left here that was killed outright."""
    for scratch in folder.glob(f"{_SCRATCH}*"):
        if not Path("/proc", scratch.name.removeprefix(_SCRATCH).partition("-")[0]).exists():
            shutil.rmtree(scratch, ignore_errors=True)


def _report(results: Results, args: argparse.Namespace, conclusions: Conclusions, *, figures: bool) -> None:
    from rich.console import Console

    from qcaps.measure.results.file import replace_file
    from qcaps.report import page, sources, summary, table

    said = json.dumps(summary.to_json(summary.speedups(results, args.baseline)), indent=2) + "\n"
    text = table.markdown(results, args.baseline)
    replace_file(args.output / SUMMARY, lambda file: file.write(said))
    replace_file(args.output / TABLE, lambda file: file.write(text))
    if args.json:
        print(said, end="")
    else:
        # in a file or a pipe a table is as wide as it needs to be
        Console(width=None if sys.stdout.isatty() else 160, highlight=False).print(
            table.table(results, args.baseline)
        )
        for line in conclusions(results):
            print(line)
    if figures:
        given = sources.from_results(results, RESULTS)
        drawn = page.build(given, args.output, args.content, args.baseline)
        if not args.json:
            left = dict.fromkeys((page.PAGE, RESULTS, SUMMARY, TABLE, *(path.name for path in drawn.files)))
            print(f"\n{args.output}: {', '.join(left)}")


def _complain(log: Log) -> None:
    for question, why in log.refused.items():
        say(f"not measured: {question.name}: {why}")
    for question in log.not_reached:
        say(f"not measured: {question.name}: the time was up")
    for question in log.unsteady:
        say(f"warning: {question.name}: counts varied between runs: something changed the files it checks")
