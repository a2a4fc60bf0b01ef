"""`qcaps run`: measure policies against each other, and say what came out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from qcaps.commands.measuring import interruptible
from qcaps.commands.options import add_many, add_options, folder, print_json, whole
from qcaps.commands.terminal import console, note, progress_bar, say
from qcaps.errors import QcapsError, UsageError, unknown

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable
    from pathlib import Path

    from qcaps.measure.results.results_file import Results
    from qcaps.measure.schedule import Log, Plan
    from qcaps.measure.suite import Conclusions

INTERRUPTED = 130
_INSTEAD = "--force measures over them, --output names another folder"
QUICK_SECONDS = 30.0
RESULTS, SUMMARY, TABLE, PLAN = "results.json", "summary.json", "table.md", "run.json"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.description = (
        "Time each policy against the baseline, side by side in one process, on domains that grow in n.\n"
        "Writes a results file (which pyperf reads too), a summary, a table and a report with figures."
    )
    parser.add_argument(
        "suite", nargs="?", help="what to measure: a module in bench/suites/ (default: default)"
    )
    add_many(parser, scenario=[], n=[], task=[], policy=[], validity=[])
    parser.add_argument(
        "--baseline", default="naive", help="what the others are held against (default: naive)"
    )
    parser.add_argument("--quick", action="store_true", help="the suite 'quick'; stop measuring after 30 s")
    parser.add_argument(
        "--processes",
        type=whole(1, 10_000),
        metavar="N",
        help="fresh processes a comparison (default: 4, --quick: 1)",
    )
    add_options(
        parser,
        "scratch",
        "force",
        "content",
        "json",
        "quiet",
        "verbose",
        pairs=20,
        seed=0,
        color="auto",
        output=folder("qcaps-results"),
    )
    parser.epilog = "Example: qcaps run --scenario disks -n 1 16 64 --policy naive once --validity ctime"


def run(args: argparse.Namespace) -> int:
    """Measure what is not there yet, report; 1 if something could not be measured, 130 if interrupted."""
    from qcaps.files import held  # `--help` need not pay for any of this

    plan, conclusions = _plan(args)
    identity = _identity(plan)
    with held(args.output) as output, interruptible():
        log, finished = _what_is_there(output, identity, plan, force=args.force)
        interrupted = False
        if not finished:
            try:
                _measure(plan, args, log)
            except KeyboardInterrupt:
                interrupted = True
        if not log.results.measured:
            if interrupted:
                raise KeyboardInterrupt
            _complain(log)
            raise QcapsError(
                "nothing was measured" + ("" if log.refused or log.lost else ": there was no time")
            )
        _report(log.results, args, conclusions, figures=not interrupted)
        if interrupted:
            kept = len(log.results.by_comparison())
            say(f"interrupted; {kept} comparisons are in {output / RESULTS}, and the same command goes on")
            return INTERRUPTED
        if not log.lost:
            _keep(output, identity, finished=True)
    _complain(log)
    return 1 if log.refused or log.lost else 0


def _identity(plan: Plan) -> dict[str, object]:
    """All that must be the same for two runs to be one: what is measured, how often, and by what."""
    import hashlib
    import platform

    import qcaps
    from qcaps.measure.results.session import commit, newest_source
    from qcaps.measure.schedule import domains

    def digest(lines: Iterable[str]) -> str:
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]

    names = [cell.name for cell in plan.cells]
    return {
        "cells": f"{len(names)} ({digest(names)})",
        "domains": digest(domains(plan).values()),
        "pairs": plan.pairs,
        "processes": plan.processes,
        "seed": plan.seed,
        "seconds": plan.limit,
        "qcaps": qcaps.__version__,
        "commit": commit() or "",
        "edited": newest_source() if (commit() or "+").endswith("+") else "",
        "python": platform.python_version(),
        "host": platform.node(),
    }


def _what_is_there(output: Path, identity: dict[str, object], plan: Plan, *, force: bool) -> tuple[Log, bool]:
    """What an earlier run of this plan left, and whether that is all. Raises QcapsError for another's."""
    from qcaps.measure.cell import by_comparison
    from qcaps.measure.results import kept, results_file
    from qcaps.measure.schedule import Log, done_jobs, whole

    log, results = Log(), output / RESULTS
    known = kept.read(output / PLAN)
    if results.exists() and not force:
        if known is None:
            raise QcapsError(f"{results}: results that 'qcaps run' did not leave here: {_INSTEAD}")
        if known["identity"] != identity:
            differs = kept.difference(known["identity"], identity)
            raise QcapsError(f"{results}: of another plan ({differs}): {_INSTEAD}")
        log.results = whole(results_file.read(results))
        jobs = plan.processes * len(by_comparison(plan.cells))
        if known.get("finished"):
            note(f"{results}: this plan is measured already; --force measures it again")
            return log, True
        note(f"{results}: going on with {len(done_jobs(log.results))} of {jobs} jobs done")
    elif results.exists():
        results.unlink()
    _keep(output, identity, finished=False)
    return log, False


def _keep(output: Path, identity: dict[str, object], *, finished: bool) -> None:
    from qcaps.measure.results import kept

    kept.write(output / PLAN, identity, finished=finished)


def _plan(args: argparse.Namespace) -> tuple[Plan, Conclusions]:
    from dataclasses import replace  # 10 ms that `--help` need not pay

    from qcaps.measure.schedule import Plan, with_baseline
    from qcaps.measure.suite import Choice, choose, suite

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
    plan = Plan(
        cells=with_baseline(cells, args.baseline),
        pairs=args.pairs,
        processes=processes,
        seed=args.seed,
        limit=QUICK_SECONDS if args.quick else None,
        content=args.content,
    )
    return plan, chosen.conclusions


def _check_names(args: argparse.Namespace) -> None:
    """Raise UsageError for a name there is not, before anything is measured."""
    from qcaps import scenario
    from qcaps.cache.validity import VALIDITIES
    from qcaps.lookups.policy import POLICIES
    from qcaps.measure.cell import TASKS
    from qcaps.measure.suite import names as suites

    known = {
        "scenario": scenario.names(args.content),
        "task": TASKS,
        "policy": tuple(one.name for one in POLICIES),
        "validity": tuple(one.name for one in VALIDITIES),
    }
    for option, names in known.items():
        for name in getattr(args, option):
            if name.partition("@")[0] in names:
                continue
            if args.suite is None and name in suites(args.content):
                raise UsageError(
                    f"--{option} {name}: {name} is a suite, which comes first: qcaps run {name} --{option} …"
                )
            raise unknown(option, name, names)
    if args.baseline not in known["policy"]:
        raise unknown("policy", args.baseline, known["policy"])


def _measure(plan: Plan, args: argparse.Namespace, log: Log) -> None:
    from qcaps.files import make_folder, scratch_folder
    from qcaps.measure.schedule import measure

    where = make_folder(args.scratch) if args.scratch else args.output
    with scratch_folder(where) as scratch, progress_bar() as progress:
        measure(plan, args.output / RESULTS, scratch, log, progress)


def _report(results: Results, args: argparse.Namespace, conclusions: Conclusions, *, figures: bool) -> None:
    from qcaps.files import replace_file
    from qcaps.report import page, sources, summary, table

    plain = summary.to_json(summary.speedups(results, args.baseline))
    said = json.dumps(plain, indent=2) + "\n"
    text = table.markdown(results, args.baseline)
    replace_file(args.output / SUMMARY, said)
    replace_file(args.output / TABLE, text)
    if args.json:
        print_json("run", plain)
    else:
        console().print(table.table(results, args.baseline))
        for line in (*table.marked(results), *conclusions(results)):
            print(line)
    if figures:
        given = sources.from_results(results, RESULTS)
        drawn = page.build(given, args.output, args.content, args.baseline)
        if not args.json:
            left = dict.fromkeys((page.PAGE, RESULTS, SUMMARY, TABLE, *(path.name for path in drawn.files)))
            print(f"\n{args.output}: {', '.join(left)}")


def _complain(log: Log) -> None:
    for comparison, why in log.refused.items():
        say(f"not measured: {comparison.name}: {why}")
    for comparison, what in log.lost.items():
        say(f"cut short: {comparison.name}: its worker was {what}; the same command measures it again")
    for comparison in log.not_reached:
        say(f"not measured: {comparison.name}: the time was up")
    for comparison in log.unsteady:
        say(f"warning: {comparison.name}: counts varied between runs: something changed the files it checks")
