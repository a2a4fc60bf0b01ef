"""`qcaps history [measure]`: bring a history up to date."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING

from qcaps.commands.building import add_building, recipe_of
from qcaps.commands.history.telling import event_lines
from qcaps.commands.measuring import interruptible, scratch_place
from qcaps.commands.naming import add_domains, add_yes, domains_of, gate_cells, subjects_of
from qcaps.commands.options import add_many, add_options, print_json, whole
from qcaps.commands.terminal import note, progress_bar, say
from qcaps.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from qcaps.commands.terminal import Bar
    from qcaps.history.measuring import HistorySession, Target
    from qcaps.history.store import HistoryStore
    from qcaps.measure.cell import Cell
    from qcaps.measure.gate.libvirt_builds import Recipe

INTERRUPTED = 130
NOISY = 3
_NOTHING_NAMED = "what revisions? a range as v1.0..HEAD, or installed libvirts by --subjects"
_PLAN = (*("range", "every", "tags", "subjects", "build", "suite", "domain", "grow", "n", "task", "pairs"),)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the action's arguments."""
    parser.add_argument(
        "range",
        nargs="?",
        default="",
        metavar="RANGE",
        help="commits as A..B, or all up to B (default: as the last time, with what has come since)",
    )
    parser.add_argument(
        "--every", type=whole(1), metavar="K", help="each Kth commit of the line, and the newest"
    )
    parser.add_argument("--tags", nargs="?", const="*", metavar="GLOB", help="only commits with such a tag")
    parser.add_argument(
        "--subjects",
        nargs="+",
        action="extend",
        default=[],
        metavar="SUBJECT",
        help="in place of commits, installed libvirts: libvirt:PREFIX_OR_BUILD",
    )
    parser.add_argument(
        "--retry", action="store_true", help="try what could not be measured or settled here once more"
    )
    parser.add_argument(
        "--unsettled", action="store_true", help="leave suspected changes to a later call: no gates"
    )
    add_session(parser)


def add_session(parser: argparse.ArgumentParser) -> None:
    """What a session measures with, and on what."""
    add_building(parser)
    parser.add_argument(
        "--domain",
        nargs="+",
        action="extend",
        default=[],
        metavar="WHAT",
        help="scenarios or domain files, in place of the suite's",
    )
    parser.add_argument(
        "--machine",
        metavar="NAME",
        default="",
        help="what machines like this one are called in the store (default: this host's name)",
    )
    add_options(
        parser,
        "counts_only",
        "hang",
        "scratch",
        "content",
        "json",
        "quiet",
        "verbose",
        suite=None,
        pairs=None,
        seconds=None,
        seed=None,
        color="auto",
    )
    add_many(parser, n=[], task=[])
    add_domains(parser)
    add_yes(parser)


def run(args: argparse.Namespace) -> int:
    """Measure what is missing; 0 if all is there, 3 if the host was too noisy to time anything."""
    from qcaps.files import scratch_folder  # `--help` need not pay for any of this
    from qcaps.history import changes, measuring, records, settling, targets
    from qcaps.history.store import writing

    if not (args.range or args.subjects or args.store.exists()):
        raise UsageError(_NOTHING_NAMED)
    changes.check_installed()
    with writing(args.store) as store, scratch_folder(scratch_place(args.scratch)) as scratch:
        _take_plan(args, store)
        recipe = None if args.subjects else recipe_of(args)
        chosen = _targets(args, recipe)
        session = session_of(args, store, scratch, on_libvirt=bool(args.subjects or recipe))
        if args.retry:
            with store.transaction() as connection:
                records.forget_gaps(connection, session.environment)
        releases = set() if args.subjects else targets.releases(args.repo)
        interrupted = False
        try:
            with interruptible(), progress_bar() as bar:
                _tell_progress(session, bar, len(chosen))
                known = targets.in_store(store, recipe)
                measuring.measure(session, chosen, known, releases)
                if not (args.unsettled or args.counts_only or session.noisy):
                    known |= {one.revision.name: one for one in chosen} | targets.in_store(store, recipe)
                    settling.settle(session, known)
        except KeyboardInterrupt:
            interrupted = True
        if interrupted:
            say(f"interrupted; what was measured is in {args.store}, and the same command goes on")
            return INTERRUPTED
        _say(args, session, chosen)
    return NOISY if session.noisy else 0


def _take_plan(args: argparse.Namespace, store: HistoryStore) -> None:
    """What was asked for last stands in where nothing is said; what is said is asked for from now on."""
    from qcaps.history import commits, records, targets

    earlier = json.loads(records.about(store, records.PLAN) or "{}")
    if args.range:
        earlier.pop("subjects", None)
    for name in _PLAN:
        if not getattr(args, name) and earlier.get(name):
            setattr(args, name, earlier[name])
    line = targets.LIBVIRTS if args.subjects else commits.line(args.repo)
    records.check_line(store, line)
    args.every, args.pairs, args.tags = args.every or 1, args.pairs or 8, args.tags or ""
    if not args.range and not args.subjects:
        raise UsageError(_NOTHING_NAMED)
    plan = {name: getattr(args, name) for name in _PLAN}
    with store.transaction() as connection:
        records.set_about(connection, records.LINE, line)
        records.set_about(connection, records.PLAN, json.dumps(plan))


def _targets(args: argparse.Namespace, recipe: Recipe | None) -> list[Target]:
    from qcaps.history import commits, targets

    if args.subjects:
        return targets.of_libvirts(subjects_of(args.subjects, yes=args.yes))
    found = commits.commits(args.repo, args.range, every=args.every, tags=args.tags)
    return targets.of_commits(found, recipe)


def _sources(args: argparse.Namespace, *, on_libvirt: bool) -> dict[Cell, str]:
    from qcaps.measure.suite import Choice, choose, sources

    domains, names = domains_of(args.domain, args)
    choice = Choice(scenarios=names, ns=tuple(args.n), tasks=tuple(args.task))
    cells = gate_cells(
        args.suite,
        args.content,
        on_libvirt=on_libvirt,
        choose_from=lambda found: choose(found, choice, domains),
    )
    return sources(cells, domains)


def session_of(
    args: argparse.Namespace, store: HistoryStore, scratch: Path, *, on_libvirt: bool
) -> HistorySession:
    """What measures as the command line says. Raises QcapsError."""
    from time import monotonic

    from qcaps.history import exchange, records
    from qcaps.history.measuring import HistorySession
    from qcaps.measure.gate.revisions import default_builds
    from qcaps.measure.gate.rounds import Bench
    from qcaps.measure.results.session import session_facts

    sources = _sources(args, on_libvirt=on_libvirt)
    facts = session_facts(scratch)
    here = exchange.this_environment(facts, args.machine, _qemu() if on_libvirt else "")
    with store.transaction() as connection:
        environment = records.environment_id(connection, here)
    return HistorySession(
        store=store,
        bench=Bench(
            sources=sources,
            scratch=scratch,
            session=facts,
            patience=args.hang,
            draw=random.Random(args.seed),
        ),
        environment=environment,
        repository=args.repo,
        builds=args.builds or default_builds(),
        say=note,
        on_progress=lambda _what: None,
        pairs=args.pairs,
        end=monotonic() + args.seconds if args.seconds else float("inf"),
        counts_only=args.counts_only,
    )


def _qemu() -> str:
    """The QEMU that installed libvirts ask, where there is one."""
    import shutil
    import subprocess

    program = shutil.which("qemu-system-x86_64")
    if program is None:
        return ""
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    return said.splitlines()[0] if said else ""


def _tell_progress(session: HistorySession, bar: Bar, revisions: int) -> None:
    """Pairs there are here, of as many as the revisions want of two anchors each."""

    def show(what: str) -> None:
        (pairs,) = session.store.connection.execute(
            "SELECT count(*) FROM pair WHERE environment = ?", (session.environment,)
        ).fetchone()
        bar(pairs, max(pairs, 2 * revisions * session.pairs * len(session.cells)), what)

    session.on_progress = show


def _say(args: argparse.Namespace, session: HistorySession, chosen: list[Target]) -> None:
    from qcaps.history import events, records, track

    store = session.store
    names = {one.revision.name: str(one.revision) for one in chosen}
    gaps = [one for one in records.gaps(store) if one.revision in names]
    found = events.events(track.read_all(store), records.revisions(store))
    (pairs,) = store.connection.execute("SELECT count(*) FROM pair").fetchone()
    if args.json:
        plain = {
            "revisions": len(chosen),
            "pairs": pairs,
            "gaps": [one._asdict() for one in gaps],
            "noisy": session.noisy,
            "events": [one.to_plain() for one in found],
        }
        print_json("history", plain)
        return
    for one in gaps:
        print(f"gap: {names[one.revision]}{f' {one.benchmark}' if one.benchmark else ''}: {one.why}")
    print(f"{args.store}: {len(chosen)} revisions, {len(gaps)} gap{'s' * (len(gaps) != 1)}, {pairs} pairs")
    for event in found:
        print("\n".join(event_lines(event)))
    if session.stopped:
        print("the time was up; the same command goes on")
    if session.noisy:
        print(f"nothing was timed: {session.noisy}")
