"""`qcaps bisect`: the first commit, from a good one to a bad one, that counts otherwise or is slower."""

from __future__ import annotations

import hashlib
import json
import random
from typing import TYPE_CHECKING, Any

from qcaps.commands.building import add_building, recipe_of
from qcaps.commands.measuring import interruptible, scratch_place
from qcaps.commands.naming import add_domains, domains_of, gate_cells
from qcaps.commands.options import add_many, add_options, folder, print_json
from qcaps.commands.terminal import console, note, progress_bar, say
from qcaps.errors import visible

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from qcaps.commands.terminal import Bar
    from qcaps.measure.bisect.bisection import Bisection, Workshop
    from qcaps.measure.bisect.search import BisectStep
    from qcaps.measure.cell import Cell
    from qcaps.measure.gate.arms import Arm
    from qcaps.report.bisection import BisectReport

INTERRUPTED = 130
TABLE, FIGURE = "bisect.md", "bisect.svg"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.description = (
        "Find the first commit that counts otherwise than GOOD, or takes another time,\n"
        "on the way to BAD. Each step builds one commit, of qcaps or, with --build, of a\n"
        "libvirt; your HEAD stays where it is.\n"
        "Exit status: 0 found and sure, 2 called wrongly or an end does not build,\n"
        "3 it cannot be told."
    )
    parser.add_argument("good", metavar="GOOD", help="a revision that is as it should be: the older one")
    parser.add_argument("bad", metavar="BAD", help="one that is not, and comes from it")
    parser.add_argument(
        "what", nargs="*", metavar="WHAT", help="scenarios or domain files, in place of the suite's"
    )
    parser.add_argument(
        "--by",
        choices=("auto", "counts", "time"),
        default="auto",
        help="counts are exact, times take pairs (default: counts where the ends differ in them, else time)",
    )
    add_building(parser)
    add_options(
        parser,
        "hang",
        "scratch",
        "content",
        "json",
        "quiet",
        "verbose",
        suite=None,
        seed=None,
        color="auto",
        output=folder("qcaps-bisect"),
    )
    add_many(parser, n=[], task=[])
    add_domains(parser)
    parser.epilog = (
        "Example: qcaps bisect v1.0 main disks -n 8 --task define\n"
        "         qcaps bisect v9.0.0 HEAD --repo ~/libvirt --build 'meson setup build && ninja -C build'"
    )


def run(args: argparse.Namespace) -> int:
    """Ask commit after commit, keep each step, and say which it is."""
    from qcaps.files import held, scratch_folder
    from qcaps.measure.bisect import bisection, graph, judging
    from qcaps.measure.gate.checkout import commit_of
    from qcaps.report.bisection import BisectReport

    good, bad = (commit_of(name, name, args.repo) for name in (args.good, args.bad))
    graph.check_ends(args.repo, good, bad)
    cells = _cells(args)
    commits = tuple(graph.in_order(args.repo, good, bad))
    names = {one.name: one.subject for one in commits}
    interrupted = False
    with held(args.output) as output:
        found = _begun(args, good, bad, cells, output)
        with scratch_folder(scratch_place(args.scratch)) as scratch, progress_bar() as bar:
            shop = _workshop(args, cells, scratch, names, bar)
            if found.restore(shop.bench):
                note(f"{output}: going on after {len(found.search.steps)} steps")
            try:
                with interruptible():
                    bisection.carry_on(found, shop)
            except KeyboardInterrupt:
                if not found.search.steps:
                    raise
                interrupted = True
        report = BisectReport(found, commits)
        if len(found.search.steps) > 1:
            _say_all(args, report, output)
    if interrupted:
        say(f"interrupted; {len(found.search.steps)} steps are in {output}, and the same command goes on")
        return INTERRUPTED
    return 0 if report.first_bad else judging.UndecidedError.exit_status


def _cells(args: argparse.Namespace) -> dict[Cell, str]:
    from qcaps.measure.suite import Choice, choose, sources

    domains, names = domains_of(args.what, args)
    choice = Choice(scenarios=names, ns=tuple(args.n), tasks=tuple(args.task))
    found = gate_cells(
        args.suite,
        args.content,
        on_libvirt=bool(args.build),
        choose_from=lambda cells: choose(cells, choice, domains),
    )
    return sources(found, domains)


def _begun(args: argparse.Namespace, good: str, bad: str, cells: dict[Cell, str], output: Path) -> Bisection:
    from qcaps.measure.bisect.bisection import FILE, Bisection
    from qcaps.measure.bisect.graph import suspects
    from qcaps.measure.bisect.search import Search
    from qcaps.measure.gate.verdict import RULES

    domains = hashlib.sha256("\0".join(cells.values()).encode()).hexdigest()[:16]
    identity: dict[str, Any] = {
        "good": good,
        "bad": bad,
        "by": args.by,
        "build": args.build,
        "cells": [cell.name for cell in cells],
        "domains": domains,
        "rules": RULES,
    }
    search = Search(lambda goods, first: suspects(args.repo, goods, first))
    return Bisection(good, bad, json.loads(json.dumps(identity)), search, by=args.by, file=output / FILE)


def _workshop(
    args: argparse.Namespace, cells: dict[Cell, str], scratch: Path, names: dict[str, str], bar: Bar
) -> Workshop:
    from qcaps.measure.bisect.bisection import Workshop
    from qcaps.measure.gate import revisions
    from qcaps.measure.gate.rounds import Bench
    from qcaps.measure.gate.verdict import Margins
    from qcaps.measure.results.session import session_facts

    recipe, place = recipe_of(args), args.builds or revisions.default_builds()

    def build(commit: str) -> Arm:
        source = revisions.ArmSource("step", commit, recipe=recipe, who=f"commit {commit[:12]}")
        return revisions.arm_from(source, args.repo, place, note)

    def told(step: BisectStep) -> None:
        why = f": {step.why}" if step.why else ""
        note(f"{step.commit[:12]} {names.get(step.commit, '')}: {step.side}{why}")

    return Workshop(
        build=build,
        bench=Bench(
            sources=cells,
            scratch=scratch,
            session=session_facts(scratch),
            patience=args.hang,
            draw=random.Random(args.seed),
        ),
        delta=Margins().delta,
        told=told,
        on_pair=bar,
    )


def _say_all(args: argparse.Namespace, report: BisectReport, output: Path) -> None:
    from qcaps.files import replace_file
    from qcaps.report import bisection

    replace_file(output / TABLE, bisection.markdown(report))
    bisection.draw(report, output / FIGURE)
    if args.json:
        print_json("bisect", bisection.to_json(report))
        return
    console().print(bisection.table(report))
    for line in report.lines:
        print(visible(line))
    print(f"\n{output}: {TABLE}, {FIGURE}")
