"""`qcaps calibrate`: this host as a judge: how often it raises a false alarm, and what it catches."""

from __future__ import annotations

import random
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from qcaps.commands.measuring import interruptible, scratch_place
from qcaps.commands.naming import add_subject, gate_cells, subjects_of
from qcaps.commands.options import add_options, folder, number, print_json, whole
from qcaps.commands.terminal import expect, note, progress_bar
from qcaps.errors import UsageError

if TYPE_CHECKING:
    import argparse

    from qcaps.commands.terminal import Bar
    from qcaps.measure.gate.calibration import Calibration

INTERRUPTED = 130


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.description = (
        "Gate this qcaps against itself, again and again, with known slowdowns: none, 3, 5, 10 %.\n"
        "Prints how often the verdict was FAIL, with the bound that so many decisions allow, and keeps it:\n"
        "'qcaps doctor' warns from it."
    )
    parser.add_argument(
        "--repetitions",
        type=whole(1),
        metavar="N",
        help="stop after so many (default: when the time is up)",
    )
    parser.add_argument(
        "--slowdown",
        nargs="+",
        type=number(-1e-9, 1000, "percent"),
        default=[0.0, 3.0, 5.0, 10.0],
        metavar="PERCENT",
        help="put these in, 0 for false alarms (default: 0 3 5 10)",
    )
    add_subject(parser)
    add_options(
        parser,
        "force",
        "scratch",
        "content",
        "json",
        "quiet",
        "verbose",
        suite=None,
        seconds=300.0,
        seed=None,
        color="auto",
        output=folder("qcaps-calibration"),
    )
    parser.epilog = "Example: qcaps calibrate --suite gating --seconds 600"


def run(args: argparse.Namespace) -> int:
    """Decide until the time is up, keep what was found, print it."""
    from qcaps.files import held, scratch_folder  # `--help` need not pay for any of this
    from qcaps.measure.gate import calibration

    found, interrupted = calibration.Calibration(suite=args.suite), False
    with held(args.output) as output, scratch_folder(scratch_place(args.scratch)) as scratch:
        _make_room(output, force=args.force)
        try:
            with interruptible(), progress_bar() as bar:
                _repeat(args, scratch, found, bar)
        except KeyboardInterrupt:
            interrupted = True
    if not found.verdicts:
        raise KeyboardInterrupt
    calibration.write(found)
    if args.json:
        print_json("calibration", asdict(found))
    else:
        print("\n".join(_lines(found)))
        note(f"kept in {calibration.path()}; every pair is in {args.output}")
    return INTERRUPTED if interrupted else 0


def _make_room(output: Path, *, force: bool) -> None:
    """Remove an earlier calibration's pairs, if that is asked for. Raises UsageError if it is not."""
    earlier = sorted(output.glob("[0-9][0-9][0-9][0-9]-*/*.json"))
    if earlier and not force:
        raise UsageError(f"{output}: has an earlier calibration: --force removes it, --output names another")
    for file in earlier:
        file.unlink()


def _repeat(args: argparse.Namespace, scratch: Path, found: Calibration, bar: Bar) -> None:
    import platform
    from datetime import UTC, datetime

    from qcaps.files import make_folder
    from qcaps.measure.domains import DomainSources
    from qcaps.measure.gate import benches, calibration, decision, margins, revisions
    from qcaps.measure.gate.rounds import Bench
    from qcaps.measure.results.session import session_facts
    from qcaps.measure.subject import REFERENCE, is_libvirt
    from qcaps.measure.suite import sources

    (subject,) = subjects_of([args.subject], yes=args.yes)
    cells = gate_cells(args.suite, args.content, on_libvirt=is_libvirt(subject))
    table = margins.read(args.content.find_file("bench", "margins.toml"))
    source = revisions.ArmSource("base", subject="" if subject == REFERENCE else subject)
    me = revisions.arm_from(source, Path(), Path(), note)
    base, again = (
        revisions.alike(replace(me, name=side), scratch / f"code-of-{side}") for side in ("base", "head")
    )
    bench = Bench(
        sources=sources(cells, DomainSources(args.content)),
        scratch=scratch,
        session=session_facts(scratch),
        draw=random.Random(args.seed),
    )
    counted = decision.GateOutcome()
    decision.check_counts(bench, (base, again), cells, counted)
    expect(args.seconds, "equal and slowed arms, again and again")
    history = calibration.History()
    begun, repetition = time.monotonic(), 0
    while repetition != args.repetitions and (repetition == 0 or time.monotonic() - begun < args.seconds):
        order = [percent / 100 for percent in args.slowdown]
        bench.draw.shuffle(order)
        for position, share in enumerate(order):
            bar(
                repetition * len(order) + position,
                (args.repetitions or repetition + 1) * len(order),
                f"+{share:.0%}",
            )
            head = replace(again, slowdown=share)
            folder = make_folder(args.output / f"{repetition:04}-{100 * share:g}")
            start = time.monotonic()
            outcome, store = benches.decide(bench, (base, head), counted, table, folder=folder)
            history.add(share, outcome, store, (time.monotonic() - start) / len(cells))
        repetition += 1
        history.fill(found)
        found.hostname, found.date = platform.node(), datetime.now(UTC).isoformat(" ", "seconds")


def _lines(found: Calibration) -> list[str]:
    from qcaps.measure.gate.calibration import upper_bound

    lines = [f"{'slowdown':10}{'decisions':>10}{'FAIL':>7}  other verdicts"]
    for share in sorted(map(float, found.verdicts)):
        decisions, failed = found.decisions(share), found.failed(share)
        rest = ", ".join(
            f"{count} {name}"
            for name, count in sorted(found.verdicts.get(f"{share:g}", {}).items())
            if name != "FAIL"
        )
        name = f"+{share:.0%}" if share else "none (A/A)"
        lines.append(f"{name:10}{decisions:>10}{failed / max(decisions, 1):>7.0%}  {rest}")
    failed, decisions = found.alarms(0.0), found.decisions(0.0)
    runs, alarmed = found.runs.get("0", (0, 0))
    lines.append(
        f"false alarms (FAIL or IMPROVED on equal arms): {failed} of {decisions} decisions, so at most"
        f" {upper_bound(failed, decisions):.1%} (95 %)"
    )
    lines.append(
        f"runs with a false alarm: {alarmed} of {runs}, so at most {upper_bound(alarmed, runs):.1%} (95 %)"
    )
    lines.append(
        f"noise: equal pairs scatter by {found.spread:.1%} (median deviation), levels drift by"
        f" {found.drift:.1%} between repetitions; {found.seconds:.1f} s a verdict"
    )
    return lines
