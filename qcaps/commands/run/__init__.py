"""`qcaps run`: measure policies against each other, and say what came out."""

from __future__ import annotations

import json
import math
from contextlib import contextmanager
from typing import TYPE_CHECKING

from qcaps.commands.joining import ANYWHERE, joined
from qcaps.commands.measuring import interruptible
from qcaps.commands.naming import add_domains, add_subjects
from qcaps.commands.options import add_cluster, add_export, add_many, add_options, folder, print_json, whole
from qcaps.commands.run.plan import identity_of, plan_of
from qcaps.commands.terminal import console, expect, note, progress_bar, say
from qcaps.errors import QcapsError, unknown

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from pathlib import Path

    from qcaps.commands.options import Output
    from qcaps.commands.terminal import Bar
    from qcaps.measure.carrying import Carrier
    from qcaps.measure.schedule import Log, Plan
    from qcaps.measure.suite import Conclusions
    from qcaps.report.exports import Export

INTERRUPTED = 130
_INSTEAD = "--force measures over them, --output names another folder"
RESULTS, SUMMARY, TABLE, PLAN = "results.json", "summary.json", "table.md", "run.json"
DOMAINS = "domains"
EXPORTS = ("pytest-benchmark", "github", "bencher", "csv")
"""Formats of `qcaps gate` that say what was timed, and judge nothing."""


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
        "         qcaps run guest.xml --subject libvirt --policy stock once\n"
        "         qcaps run --on tls://scheduler:8786 --tls-ca ca.pem --tls-cert me.pem --tls-key key.pem"
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
    add_export(parser)
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
    add_cluster(parser)


def run(args: argparse.Namespace) -> int:
    """Measure what is not there yet, report; 1 if something could not be measured, 130 if interrupted."""
    return measure_and_report(args)


def measure_and_report(args: argparse.Namespace, *, worst_first: bool = False) -> int:
    """As `run`; `worst_first` orders the table by the baseline's time, and adds what all come to."""
    import platform

    from qcaps.files import held  # `--help` need not pay for any of this

    plan, conclusions = plan_of(args)
    _exports(args)  # a misspelt one is told before minutes of measuring
    if args.content.own is not None:
        from qcaps.report import section

        section.ordered(args.content)  # a fault of the user's own is told before minutes of measuring
    identity = identity_of(plan, ANYWHERE if args.on else platform.node())
    with held(args.output) as output, interruptible(), _carrier(args, plan) as carrier:
        log, finished = _what_is_there(output, identity, plan, force=args.force)
        if args.keep_domains:
            _keep_domains(plan, output)
        interrupted = False
        if not finished:
            try:
                _measure(plan, args, log, carrier)
            except KeyboardInterrupt:
                interrupted = True
        if not log.results.measured:
            if interrupted:
                raise KeyboardInterrupt
            _complain(log, plan)
            raise QcapsError(
                "nothing was measured" + ("" if log.refused or log.lost else ": there was no time")
            )
        _report(log, args, conclusions, figures=not interrupted, worst_first=worst_first)
        if interrupted:
            kept = len(log.results.by_comparison())
            are = "comparison is" if kept == 1 else "comparisons are"
            say(f"interrupted; {kept} {are} in {output / RESULTS}, and the same command goes on")
            return INTERRUPTED
        if not log.lost:
            _keep(output, identity, finished=True)
    _complain(log, plan)
    return 1 if log.refused or log.lost else 0


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

    folder = make_folder(output / DOMAINS)
    for comparison, xml in plan.xmls.items():
        if isinstance(xml, str):
            replace_file(folder / f"{comparison.scenario.replace('/', '_')}-{comparison.n}.xml", xml)


@contextmanager
def _carrier(args: argparse.Namespace, plan: Plan) -> Iterator[Carrier]:
    """Who measures: this machine, or the hosts that `--on` names."""
    from qcaps.files import make_folder, scratch_folder
    from qcaps.measure.carrying import Here

    if args.on:
        from qcaps.measure.cluster.errands import OnHosts
        from qcaps.measure.results.session import command_line

        with joined(args, (cell.subject for cell in plan.cells)) as cluster:
            yield OnHosts(cluster, {"command_line": command_line()}, args.scratch)
        return
    with scratch_folder(make_folder(args.scratch) if args.scratch else args.output) as scratch:
        yield Here(scratch)


def _measure(plan: Plan, args: argparse.Namespace, log: Log, carrier: Carrier) -> None:
    from qcaps.measure.cell import by_comparison
    from qcaps.measure.schedule import done_jobs, measure

    many = plan.processes * len(by_comparison(plan.cells)) - len(done_jobs(log.results))
    longest = math.ceil(many / carrier.width) * plan.job_seconds
    expect(min(longest, plan.limit or longest), f"{many} jobs to measure")
    with progress_bar() as progress:
        told = _with_rounds(plan, log, args.baseline, progress)
        measure(plan, args.output / RESULTS, log, carrier, told)


def _with_rounds(plan: Plan, log: Log, baseline: str, bar: Bar) -> Bar:
    """Tells the bar, too, which round is on, and what the comparison measured last has come to."""
    from qcaps.measure.results.results_file import Results
    from qcaps.measure.schedule import done_jobs
    from qcaps.report import summary, table

    known = {0: ""}

    def so_far() -> str:
        jobs = len(done_jobs(log.results))
        if jobs not in known:
            *_, (comparison, arms) = log.results.by_comparison().items()
            found = summary.speedups(Results(tuple(arms.values())), baseline)
            known[jobs] = f"; {comparison.name}: {table.interval(found[-1])} so far" if found else ""
        return known[jobs]

    def show(done: float, of: float, what: str) -> None:
        number = min(int(done % 1 * plan.pairs) + 1, plan.pairs)
        bar(done, of, f"{what} round {number} of {plan.pairs}{so_far()}" if what else "")

    return show


def _report(
    log: Log, args: argparse.Namespace, conclusions: Conclusions, *, figures: bool, worst_first: bool
) -> None:
    from qcaps.files import replace_file
    from qcaps.report import exports, page, run_rows, sources, summary, table

    results = summary.slowest_first(log.results, args.baseline) if worst_first else log.results
    plain = summary.to_json(summary.speedups(results, args.baseline))
    plain["refused"] = [{"cell": cell.name, "why": why} for cell, why in log.refused.items()]
    said = json.dumps(plain, indent=2) + "\n"
    text = table.markdown(results, args.baseline)
    replace_file(args.output / SUMMARY, said)
    replace_file(args.output / TABLE, text)
    for export in _exports(args):
        replace_file(
            args.output / export.file,
            exports.text(export, run_rows.of_results(results, args.baseline), results),
        )
    if args.json:
        print_json("run", plain)
    else:
        screen = console()
        screen.print(table.table(results, args.baseline, log.refused, screen.width))
        total = [table.total(results, args.baseline)] if worst_first else []
        spared = table.nothing_spared(results)
        for line in (*filter(None, total), *spared, *table.marked(results), *conclusions(results)):
            print(line)
    if figures:
        given = sources.from_results(results, RESULTS)
        drawn = page.build(given, args.output, args.content, args.baseline)
        if not args.json:
            left = dict.fromkeys((page.PAGE, RESULTS, SUMMARY, TABLE, *(path.name for path in drawn.files)))
            print(f"\n{args.output}: {', '.join(left)}")


def _exports(args: argparse.Namespace) -> list[Export]:
    """The formats that were asked for; of a configuration's those that a run has. Raises UsageError."""
    from qcaps.commands.configuration import Said
    from qcaps.report.exports import by_name

    names = list(dict.fromkeys(args.export))
    if isinstance(args.export, Said):
        return [by_name(name) for name in names if name in EXPORTS]
    for name in names:
        if name not in EXPORTS:
            raise unknown("export of a run", name, EXPORTS)
    return [by_name(name) for name in names]


def _complain(log: Log, plan: Plan) -> None:
    for comparison, why in log.refused.items():
        say(f"not measured: {comparison.name}: {why}")
    for line in plan.domains.beyond((one.scenario, one.n) for one in log.refused):
        say(line)
    for comparison, what in log.lost.items():
        say(f"cut short: {comparison.name}: its worker was {what}; the same command measures it again")
    for comparison in log.not_reached:
        say(f"not measured: {comparison.name}: the time was up")
    for comparison in log.unsteady:
        say(f"warning: {comparison.name}: counts varied between runs: something changed the files it checks")
