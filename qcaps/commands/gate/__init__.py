"""`qcaps gate`: is head slower than base? Counts first, then paired times, then verdicts."""

from __future__ import annotations

import json
import random
from contextlib import contextmanager
from typing import TYPE_CHECKING

from qcaps.commands.building import add_building, list_builds
from qcaps.commands.gate.arms import arms_of, cells_of, placed, results_files
from qcaps.commands.joining import ANYWHERE, joined
from qcaps.commands.measuring import interruptible, scratch_place
from qcaps.commands.naming import add_domains, add_yes
from qcaps.commands.options import (
    add_cluster,
    add_export,
    add_many,
    add_options,
    existing_path,
    folder,
    print_json,
    seconds,
)
from qcaps.commands.terminal import console, note, progress_bar, say
from qcaps.errors import UsageError, visible

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from qcaps.commands.terminal import Bar
    from qcaps.measure.cell import Cell
    from qcaps.measure.gate.arms import Arm
    from qcaps.measure.gate.benches import Benches
    from qcaps.measure.gate.decision import GateOutcome, Progress
    from qcaps.measure.gate.margins import MarginTable
    from qcaps.measure.gate.pair_store import PairStore
    from qcaps.report.verdicts import GateReport

INTERRUPTED = 130
_LOOK_AGAIN_SECONDS = 30.0
REPORT = "gate-report.json"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.description = (
        "Compare two versions: lookups, forks and probes exactly, then times in pairs of fresh processes.\n"
        "Exit status: 0 nothing is known to be worse, 1 a regression, 2 called wrongly or an arm failed,\n"
        "3 no time could be judged (noisy host, files measured apart); with --strict: not every one could,\n"
        "4 base and head cannot be compared."
    )
    parser.add_argument(
        "what",
        nargs="*",
        metavar="WHAT",
        help="scenarios or domain files, in place of the suite's; or two results files: BASE HEAD",
    )
    for side, default in (("base", ""), ("head", " (default: this qcaps)")):
        parser.add_argument(
            f"--{side}",
            metavar="SUBJECT",
            help="what it measures: reference, libvirt, libvirt:PREFIX_OR_BUILD",
        )
        parser.add_argument(
            f"--{side}-rev", metavar="REV", help=f"a git revision, built in a virtual environment{default}"
        )
        parser.add_argument(
            f"--{side}-python", metavar="PYTHON", help="an interpreter that has a version installed"
        )
    add_building(parser)
    parser.add_argument(
        "--list-builds", action="store_true", help="say what builds there are, the one used last first"
    )
    parser.add_argument("--margins", type=existing_path, metavar="FILE", help="(default: bench/margins.toml)")
    add_export(parser)
    parser.add_argument(
        "--work",
        action="store_true",
        help="say which functions and system calls head calls more or less often; never judged",
    )
    parser.add_argument(
        "--git-bisect",
        action="store_true",
        help="exit as 'git bisect run' wants it: 0 good, 1 bad, 125 cannot be told, 255 stop",
    )
    parser.add_argument(
        "--wait",
        type=seconds,
        default=0.0,
        metavar="SECONDS",
        help="how long to wait for a noisy host to become quiet (0)",
    )
    add_options(
        parser,
        "counts_only",
        "strict",
        "hang",
        "scratch",
        "content",
        "json",
        "quiet",
        "verbose",
        suite=None,
        seed=None,
        color="auto",
        output=folder("qcaps-gate"),
    )
    add_many(parser, n=[], task=[])
    add_domains(parser)
    add_yes(parser)
    add_cluster(parser)
    parser.epilog = (
        "Example: qcaps gate --base-rev HEAD~1 --strict --export junit\n"
        "         qcaps gate --base libvirt:/opt/old --head libvirt:~/libvirt/build\n"
        "         qcaps gate --base-rev HEAD~1 --build 'meson setup build && ninja -C build'\n"
        "         qcaps gate --base-rev HEAD~1 --on tls://scheduler:8786"
    )


def run(args: argparse.Namespace) -> int:
    """Judge, report, and say by the exit status what came out."""
    if args.git_bisect:
        from qcaps.commands.gate import git_bisect

        return git_bisect.translated(lambda: _gate(args))
    return _gate(args)


def _gate(args: argparse.Namespace) -> int:
    from qcaps.files import held  # `--help` need not pay for any of this
    from qcaps.measure.gate import decision, pair_store
    from qcaps.measure.results import kept
    from qcaps.report.exports import by_name

    exports = [by_name(name) for name in dict.fromkeys(args.export)]
    if args.list_builds:
        return list_builds(args)
    table = _margins(args)
    if files := results_files(args):
        return _gate_files(args, files, table)
    arms = arms_of(args)
    cells, sources, outcome = cells_of(args, arms)
    identity = _identity(args, arms, cells)
    interrupted = False
    with held(args.output) as output:
        earlier = kept.read(output / pair_store.SESSION)
        if pair_store.begin(output, identity):
            note(f"going on with what is in {output}")
        elif earlier and (differs := kept.difference(earlier["identity"], identity)):
            note(f"{output}: in place of another gate's pairs ({differs})")
        with _benches(args, arms, sources, identity, outcome) as benches:
            try:
                with interruptible(), progress_bar() as bar:
                    _judge(args, benches, table, outcome=outcome, bar=bar)
            except KeyboardInterrupt:
                interrupted = True
        report = _report(outcome, arms)
        kept.write(output / pair_store.SESSION, identity, finished=outcome.finished)
        _say_all(args, report, exports)
    if interrupted:
        say(f"interrupted; what was measured is in {output}, and the same command goes on")
        return INTERRUPTED
    return decision.exit_status(outcome, strict=args.strict)


def _judge(
    args: argparse.Namespace, benches: Benches, table: MarginTable, *, outcome: GateOutcome, bar: Bar
) -> None:
    """Fill `outcome` as far as it goes."""
    from time import monotonic, sleep

    from qcaps.measure.gate import decision

    def show(progress: Progress) -> None:
        found = progress.interval
        so_far = f" {100 * (found.low - 1):+.1f} to {100 * (found.high - 1):+.1f} %" if found else ""
        bar(progress.done, progress.wanted, progress.what + so_far)

    benches.check_counts(outcome)
    if args.work:
        _compare_work(benches, outcome)
    if outcome.counts and not outcome.is_worse and not args.counts_only:
        _warn_of_this_machine(args, outcome)
        outcome.noisy = benches.check_hosts(outcome, _preflight(args, fresh=bool(args.on)), show)
        end = monotonic() + args.wait
        while outcome.noisy and monotonic() < end:
            note(f"{outcome.noisy}: waiting")
            sleep(min(_LOOK_AGAIN_SECONDS, max(end - monotonic(), 0)))
            outcome.noisy = benches.check_hosts(outcome, _preflight(args, fresh=True), show)
        if not outcome.noisy:
            store = decision.open_store(args.output)
            outcome.judged = decision.judge_all(outcome, table, store)
            decision.take_verdicts(benches, store, outcome, show)
            outcome.notes += decision.host_notes(outcome, store)
    outcome.finished = True


def _compare_work(benches: Benches, outcome: GateOutcome) -> None:
    from dataclasses import replace

    from qcaps.measure.gate import doing
    from qcaps.measure.gate.benches import OneBench

    if isinstance(benches, OneBench):
        counted = {cell: benches.bench.sources[cell] for cell in outcome.counts}
        bench = replace(benches.bench, sources=counted)
        outcome.work = doing.compare(bench, benches.arms, outcome.notes.append)
    else:
        outcome.notes.append("--work: what is done by name is counted on this machine alone, without --on")


def _warn_of_this_machine(args: argparse.Namespace, outcome: GateOutcome) -> None:
    from qcaps.measure import circumstances

    for warning in () if args.on else circumstances.warnings():
        note(warning)
        outcome.notes.append(warning)


def _preflight(args: argparse.Namespace, *, fresh: bool = False) -> PairStore:
    from qcaps.measure.gate import decision, pair_store

    if fresh:
        pair_store.forget(args.output, preflight=True)
    return decision.open_store(args.output, preflight=True)


def _gate_files(args: argparse.Namespace, files: Sequence[Path], table: MarginTable) -> int:
    from qcaps.measure.gate import decision, stored
    from qcaps.report import verdicts
    from qcaps.report.exports import by_name

    if len(files) != 2:  # noqa: PLR2004  # base and head
        raise UsageError(f"expected two results files, BASE and HEAD, not {len(files)}")
    base, head = files
    outcome = stored.compare_files(base, head, table, times=not args.counts_only)
    report = verdicts.from_outcome(outcome, str(base), str(head))
    _say_all(args, report, [by_name(name) for name in dict.fromkeys(args.export)], head=head)
    return decision.exit_status(outcome, strict=args.strict)


def _say_all(
    args: argparse.Namespace, report: GateReport, exports: Sequence[object], head: Path | None = None
) -> None:
    """The report in every form that was asked for."""
    from qcaps.files import make_folder, replace_file
    from qcaps.measure.gate.pair_store import HEAD
    from qcaps.measure.results import results_file
    from qcaps.report import actions, verdicts, work
    from qcaps.report import exports as formats

    text = json.dumps(verdicts.to_json(report), indent=2) + "\n"
    if head is None or exports:
        replace_file(make_folder(args.output) / REPORT, text)
    if exports:
        file = head or args.output / HEAD
        results = results_file.read(file) if file.exists() else results_file.Results(())
        for export in exports:
            assert isinstance(export, formats.Export)
            made = formats.text(export, report, results)
            replace_file(args.output / export.file, made)
    if args.json:
        print_json("gate", verdicts.to_json(report))
        return
    screen = console()
    if (counted := verdicts.counts_table(report, screen.width)) is not None:
        screen.print(counted)
    if (more := work.table(report.work)) is not None:
        screen.print(more)
    if report.rows:
        screen.print(verdicts.table(report, screen.width))
    for line in (*report.faults, *report.newly_refused, *report.notes, report.headline):
        print(visible(line))
    for line in actions.annotate(report):
        print(line)


def _report(outcome: GateOutcome, arms: tuple[Arm, Arm]) -> GateReport:
    from qcaps.report import verdicts

    return verdicts.from_outcome(outcome, *(arm.version for arm in arms))


def _margins(args: argparse.Namespace) -> MarginTable:
    from qcaps.measure.gate import margins

    if isinstance(args.margins, margins.MarginTable):  # as the configuration has them
        return args.margins
    return margins.read(args.margins or args.content.find_file("bench", "margins.toml"))


def _identity(args: argparse.Namespace, arms: tuple[Arm, Arm], cells: Sequence[Cell]) -> dict[str, object]:
    """What must be the same for a killed gate to be gone on with."""
    import platform

    from qcaps.measure.gate import revisions
    from qcaps.measure.gate.verdict import RULES

    return {
        "rules": RULES,
        **{arm.name: revisions.identity(arm) for arm in arms},
        "cells": [cell.name for cell in cells],
        "suite": args.suite or "",
        "hostname": ANYWHERE if args.on else platform.node(),
    }


@contextmanager
def _benches(
    args: argparse.Namespace,
    arms: tuple[Arm, Arm],
    sources: dict[Cell, str],
    identity: dict[str, object],
    outcome: GateOutcome,
) -> Iterator[Benches]:
    """Where it is measured: on this machine, or on the hosts that `--on` names."""
    import hashlib

    from qcaps.files import scratch_folder
    from qcaps.measure.gate.benches import OneBench
    from qcaps.measure.gate.rounds import Bench
    from qcaps.measure.results.session import command_line, session_facts

    # Both files of a gate carry it: pairs are pairs only within one.
    session = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]
    draw = random.Random(args.seed)
    if args.on:
        from qcaps.measure.cluster.gating import ManyBenches

        with joined(args, (arm.subject for arm in arms)) as cluster:
            yield ManyBenches(
                cluster=cluster,
                arms=arms,
                sources=sources,
                session={"command_line": command_line(), "gate_session": session},
                patience=args.hang,
                draw=draw,
                scratch=args.scratch,
                notes=outcome.notes,
            )
        return
    with scratch_folder(scratch_place(args.scratch)) as scratch:
        bench = Bench(
            sources=sources,
            scratch=scratch,
            session={**session_facts(scratch), "gate_session": session},
            patience=args.hang,
            draw=draw,
        )
        yield OneBench(bench, placed(arms, scratch))
