"""`qcaps run`: measure policies against each other, and say what came out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from qcaps.commands.measuring import interruptible
from qcaps.commands.naming import (
    add_domains,
    add_subjects,
    check_coordinates,
    check_domains,
    domains_of,
    subjects_of,
)
from qcaps.commands.options import add_many, add_options, folder, print_json, whole
from qcaps.commands.terminal import console, note, progress_bar, say
from qcaps.errors import QcapsError, UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from qcaps.commands.options import Output
    from qcaps.measure.cell import Cell
    from qcaps.measure.domains import DomainSources
    from qcaps.measure.schedule import Log, Plan
    from qcaps.measure.suite import Conclusions

INTERRUPTED = 130
_INSTEAD = "--force measures over them, --output names another folder"
QUICK_SECONDS = 30.0
RESULTS, SUMMARY, TABLE, PLAN = "results.json", "summary.json", "table.md", "run.json"
DOMAINS = "domains"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_arguments(parser, folder("qcaps-results"))
    parser.description = (
        "Time each policy against the baseline, side by side in one process, on domains that grow in n:\n"
        "a suite's, or your own, on the reference pipeline or on a real libvirt.\n"
        "Writes a results file (which pyperf reads too), a summary, a table and a report with figures."
    )
    parser.epilog = (
        "Example: qcaps run --scenario disks -n 1 16 64 --policy naive once --validity ctime\n"
        "         qcaps run guest.xml --subject libvirt --policy stock once"
    )


def add_arguments(parser: argparse.ArgumentParser, output: Output, *, subject: str = "reference") -> None:
    """What to measure, on what, how often, and where results go."""
    parser.add_argument(
        "what",
        nargs="*",
        metavar="WHAT",
        help="a suite (a module in bench/suites/), and scenarios, domain files, folders of these, or -"
        " (default: the suite 'default', on a libvirt 'libvirt')",
    )
    add_many(parser, scenario=[], n=[], task=[], policy=[], validity=[])
    add_domains(parser)
    parser.add_argument(
        "--keep-domains", action="store_true", help="keep each domain's XML in the output folder, too"
    )
    add_subjects(parser, subject)
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
        output=output,
    )


def run(args: argparse.Namespace) -> int:
    """Measure what is not there yet, report; 1 if something could not be measured, 130 if interrupted."""
    return measure_and_report(args)


def measure_and_report(args: argparse.Namespace, *, worst_first: bool = False) -> int:
    """As `run`; `worst_first` orders the table by the baseline's time, and adds what all come to."""
    from qcaps.files import held  # `--help` need not pay for any of this

    plan, conclusions = _plan(args)
    identity = _identity(plan)
    with held(args.output) as output, interruptible():
        log, finished = _what_is_there(output, identity, plan, force=args.force)
        if args.keep_domains:
            _keep_domains(plan, output)
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
        _report(log, args, conclusions, figures=not interrupted, worst_first=worst_first)
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
    from qcaps.measure.schedule import xmls

    def digest(lines: Iterable[str]) -> str:
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]

    names = [cell.name for cell in plan.cells]
    return {
        "cells": f"{len(names)} ({digest(names)})",
        "domains": digest(map(str, xmls(plan).values())),
        "libvirts": _libvirts(plan),
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


def _keep_domains(plan: Plan, output: Path) -> None:
    """A file a domain: what no results file holds."""
    from qcaps.files import make_folder, replace_file
    from qcaps.measure.schedule import xmls

    folder = make_folder(output / DOMAINS)
    for comparison, xml in xmls(plan).items():
        if isinstance(xml, str):
            replace_file(folder / f"{comparison.scenario.replace('/', '_')}-{comparison.n}.xml", xml)


def _libvirts(plan: Plan) -> dict[str, list[object]]:
    """The version of each real libvirt, and when its driver was last built."""
    from qcaps.measure.subject import is_libvirt

    found: dict[str, list[object]] = {}
    for subject in dict.fromkeys(cell.subject for cell in plan.cells):
        if is_libvirt(subject):
            from qcaps.measure.subjects.libvirt import installation

            one = installation(subject)
            found[subject] = [one.version_name, one.driver.stat().st_mtime_ns]
    return found


def _plan(args: argparse.Namespace) -> tuple[Plan, Conclusions]:
    from dataclasses import replace  # 10 ms that `--help` need not pay

    from qcaps.measure.schedule import Plan, with_baseline
    from qcaps.measure.suite import suite

    subjects = subjects_of(args.subject or ["reference"], yes=args.yes)
    name, named = _what(args, subjects)
    check_coordinates(args, subjects)
    chosen = suite(name, args.content)
    domains, scenarios = domains_of((*named, *args.scenario), args)
    cells = _cells(args, chosen.cells, subjects, domains, scenarios)
    processes = args.processes if args.processes is not None else 1 if args.quick else 4
    plan = Plan(
        cells=with_baseline(tuple(replace(cell, seed=args.seed) for cell in cells), args.baseline),
        pairs=args.pairs,
        processes=processes,
        seed=args.seed,
        limit=QUICK_SECONDS if args.quick else None,
        domains=domains,
    )
    return plan, chosen.conclusions


def _what(args: argparse.Namespace, subjects: Sequence[str]) -> tuple[str, list[str]]:
    """The suite, and the domains among what was named. Raises UsageError for two suites."""
    from qcaps.measure.subject import is_libvirt
    from qcaps.measure.suite import names

    suites = [name for name in args.what if name in names(args.content)]
    check_domains((name for name in args.what if name not in suites), args.content, names(args.content))
    if len(suites) > 1:
        raise UsageError(f"{suites[0]} and {suites[1]} are suites: name one")
    for option in ("scenario", "task", "policy", "validity"):
        for name in getattr(args, option):
            if not suites and name in names(args.content):
                raise UsageError(
                    f"--{option} {name}: {name} is a suite, which comes first: qcaps run {name} --{option} …"
                )
    check_domains(args.scenario, args.content)
    usual = "quick" if args.quick else "libvirt" if all(map(is_libvirt, subjects)) else "default"
    return (suites[0] if suites else usual), [name for name in args.what if name not in suites]


def _cells(
    args: argparse.Namespace,
    suites: tuple[Cell, ...],
    subjects: Sequence[str],
    domains: DomainSources,
    scenarios: tuple[str, ...],
) -> list[Cell]:
    """The cells of every subject. Raises UsageError for a subject that can do none of what is asked."""
    from qcaps.lookups.policy import POLICIES
    from qcaps.measure.cell import STOCK
    from qcaps.measure.subject import is_libvirt
    from qcaps.measure.suite import Choice, choose

    cells: list[Cell] = []
    for subject in subjects:
        own = [name for name in args.policy if is_libvirt(subject) or name in {one.name for one in POLICIES}]
        choice = Choice(
            scenarios=scenarios,
            ns=tuple(args.n),
            tasks=tuple(args.task),
            validities=tuple(args.validity),
            policies=tuple(own),
        )
        found = choose(suites, choice, domains)
        if is_libvirt(subject):
            from qcaps.measure.subjects.libvirt import on_libvirt, policies

            found = on_libvirt(found, subject)
            if not found:
                asked = " ".join((*args.task, *args.policy)) or "this suite"
                raise UsageError(f"{subject} does none of what is asked ({asked}): {policies(subject)}")
        elif any(cell.policy == STOCK and STOCK not in {one.name for one in POLICIES} for cell in found):
            raise UsageError(f"policy {STOCK} is a libvirt's: --subject libvirt")
        cells += found
    return cells


def _measure(plan: Plan, args: argparse.Namespace, log: Log) -> None:
    from qcaps.files import make_folder, scratch_folder
    from qcaps.measure.schedule import measure

    where = make_folder(args.scratch) if args.scratch else args.output
    with scratch_folder(where) as scratch, progress_bar() as progress:
        measure(plan, args.output / RESULTS, scratch, log, progress)


def _report(
    log: Log, args: argparse.Namespace, conclusions: Conclusions, *, figures: bool, worst_first: bool
) -> None:
    from qcaps.files import replace_file
    from qcaps.report import page, sources, summary, table

    results = summary.slowest_first(log.results, args.baseline) if worst_first else log.results
    plain = summary.to_json(summary.speedups(results, args.baseline))
    plain["refused"] = [{"cell": cell.name, "why": why} for cell, why in log.refused.items()]
    said = json.dumps(plain, indent=2) + "\n"
    text = table.markdown(results, args.baseline)
    replace_file(args.output / SUMMARY, said)
    replace_file(args.output / TABLE, text)
    if args.json:
        print_json("run", plain)
    else:
        console().print(table.table(results, args.baseline, log.refused))
        total = [summary.total(results, args.baseline)] if worst_first else []
        spared = summary.nothing_spared(results)
        for line in (*filter(None, total), *spared, *table.marked(results), *conclusions(results)):
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
