"""How often the gate is wrong on the suite it ships, and how long it takes: runs of the gate on equal code.

    python bench/studies/gate_suite.py -o suite.jsonl --seconds 1800              equal arms
    python bench/studies/gate_suite.py -o suite.jsonl --seconds 600 --slowdown 3  head slower by 3 %
    python bench/studies/gate_suite.py -o suite.jsonl --report                    what the file has
    python bench/studies/gate_suite.py -o suite.jsonl --replay 0 3 5              its equal pairs, shifted

A line a run: its pre-flight, its verdicts, every pair. Killed at any moment it loses the run it was in; the
same command goes on. Both arms are copies of this qcaps, placed as `qcaps gate` places a base and a head.
Pooled means are over the first eight pairs of each series, which no stopping rule has chosen.

A replay asks the rule again, about the real scatter of equal arms: the pairs of a benchmark from all its runs
in a row, a percentage added, each decision taking up where the last one stopped. It reads no clock.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import statistics
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qcaps.content import SHIPPED
from qcaps.files import scratch_folder
from qcaps.measure.gate import margins, revisions
from qcaps.measure.gate.benches import decide
from qcaps.measure.gate.calibration import upper_bound
from qcaps.measure.gate.decision import GateOutcome, check_counts, check_host
from qcaps.measure.gate.pair_store import PairStore
from qcaps.measure.gate.rounds import Bench
from qcaps.measure.gate.verdict import LOOKS, RULES, Margins, judge
from qcaps.measure.suite import sources, suite

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from qcaps.measure.gate.arms import Arm
    from qcaps.measure.gate.verdict import Judgement

Line = dict[str, Any]
_Z99 = statistics.NormalDist().inv_cdf(0.995)


def main() -> int:
    """Run for a while, then print what the file has."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--suite", default="gating")
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--slowdown", type=float, default=0.0, metavar="PERCENT")
    parser.add_argument("--report", action="store_true")
    parser.add_argument("--replay", type=float, nargs="+", metavar="PERCENT")
    args = parser.parse_args()
    if not (args.report or args.replay):
        with scratch_folder(Path("/dev/shm")) as scratch:  # noqa: S108  # a folder of ours is made in it
            for line in runs(args.suite, args.slowdown / 100, Path(scratch), args.seconds):
                with args.output.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(line) + "\n")
    known = [json.loads(line) for line in args.output.read_text(encoding="utf-8").splitlines()]
    lines = [line for line in known if line["rules"] == RULES]
    if len(lines) < len(known):
        sys.stdout.write(f"{len(known) - len(lines)} runs of other rules left out\n")
    if args.replay:
        sys.stdout.write("\n".join(replay(args.replay, [one for one in lines if not one["slowdown"]])) + "\n")
        return 0
    for share in sorted({line["slowdown"] for line in lines}):
        sys.stdout.write("\n".join(table(share, [one for one in lines if one["slowdown"] == share])) + "\n\n")
    return 0


def runs(name: str, share: float, scratch: Path, seconds: float) -> Iterator[Line]:
    """One run of the gate after another until the time is up."""
    cells = suite(name).cells
    bench = Bench(sources=sources(cells), scratch=scratch, draw=random.Random())
    table_of_margins = margins.read(SHIPPED.find_file("bench", "margins.toml"))
    me = revisions.arm_from(revisions.ArmSource("base"), Path(), Path(), lambda _: None)
    base, head = (revisions.alike(replace(me, name=side), scratch / f"code-of-{side}") for side in SIDES)
    head = replace(head, slowdown=share)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield one_run((base, head), bench, table_of_margins, share)


SIDES = ("base", "head")


def one_run(arms: tuple[Arm, Arm], bench: Bench, table_of: margins.MarginTable, share: float) -> Line:
    """Counts, pre-flight and verdicts, as `qcaps gate` does them; verdicts also where the host is noisy."""
    cells, counted, preflight = tuple(bench.sources), GateOutcome(), PairStore(None)
    began = time.monotonic()
    check_counts(bench, arms, cells, counted)
    counted_at = time.monotonic()
    noisy = check_host(bench, arms[0], cells, preflight, lambda _: None)
    checked_at = time.monotonic()
    outcome, store = decide(bench, arms, counted, table_of)
    ended = time.monotonic()
    return {
        "rules": RULES,
        "slowdown": share,
        "noisy": noisy,
        "seconds": [counted_at - began, checked_at - counted_at, ended - checked_at],
        "verdicts": {one.series.name: str(one.verdict) for one in outcome.judged},
        "wanted": {one.series.name: one.judgement.wanted for one in outcome.judged},
        "pairs": {
            cell.name: [round(math.log(pair.head / pair.base), 6) for pair in pairs]
            for cell, pairs in store.pairs.items()
        },
        "preflight": [
            round(math.log(pair.head / pair.base), 6) for pairs in preflight.pairs.values() for pair in pairs
        ],
    }


def table(share: float, lines: Sequence[Line]) -> list[str]:
    """Markdown: rates, times, and how far pairs lie from what was put in."""
    verdicts = Counter(verdict for line in lines for verdict in line["verdicts"].values())
    decisions = verdicts.total()
    alarms = verdicts["FAIL"] + verdicts["IMPROVED"]
    wrong = sum(bool({"FAIL", "IMPROVED"} & set(line["verdicts"].values())) for line in lines)
    noisy = sum(bool(line["noisy"]) for line in lines)
    bounds = f"{upper_bound(alarms, decisions):.2%}", f"{upper_bound(wrong, len(lines)):.2%}"
    parts = [statistics.median(line["seconds"][part] for line in lines) for part in range(3)]
    whole = statistics.median(sum(line["seconds"]) for line in lines)
    pairs = statistics.median(n for line in lines for n in line["wanted"].values())
    found = [
        f"### {'equal arms' if not share else f'+{share:.0%}'}: {len(lines)} runs",
        "",
        f"* decisions: {decisions}: {', '.join(f'{n} {name}' for name, n in verdicts.most_common())}",
        f"* FAIL or IMPROVED: {alarms} of {decisions} decisions (95 %: at most {bounds[0]})",
        f"* runs with one: {wrong} of {len(lines)} (95 %: at most {bounds[1]})",
        f"* NOISY HOST: {noisy} of {len(lines)} runs",
        "* seconds a run: counts {:.1f}, pre-flight {:.1f}, verdicts {:.1f}".format(*parts)
        + f"; all {whole:.1f}",
        f"* pairs a verdict: median {pairs:g}",
        "",
        "| benchmark | pairs | mean ln ratio | 99 % interval |",
        "|---|---:|---:|---|",
    ]
    names = lines[0]["pairs"]
    first = {name: [x for line in lines for x in line["pairs"][name][: LOOKS[0]]] for name in names}
    first["all"] = [x for values in first.values() for x in values]
    for name, values in first.items():
        mean, half = statistics.fmean(values), _Z99 * statistics.stdev(values) / math.sqrt(len(values))
        low, high = 100 * (mean - half), 100 * (mean + half)
        found.append(f"| {name} | {len(values)} | {100 * mean:+.2f} % | {low:+.2f} to {high:+.2f} % |")
    return found


def replay(percents: Sequence[float], lines: Sequence[Line]) -> list[str]:
    """Markdown: what the rule says of stored pairs of equal arms with so many percent added, a row each."""
    found = ["| head slower by | decisions | verdicts | pairs: median, 90 % |", "|---|---:|---|---|"]
    for percent in percents:
        made = [one for name in lines[0]["pairs"] for one in _decisions(name, percent, lines)]
        pairs = sorted(one.wanted for one in made)
        counts = Counter(str(one.verdict) for one in made)
        verdicts = ", ".join(f"{n} {name} ({n / len(made):.1%})" for name, n in counts.most_common())
        middle, most = statistics.median(pairs), pairs[int(0.9 * len(pairs))]
        found.append(f"| {percent:g} % | {len(made)} | {verdicts} | {middle:g}, {most} |")
    return found


def _decisions(name: str, percent: float, lines: Sequence[Line]) -> Iterator[Judgement]:
    """One after another from the pairs of a benchmark, until those left are too few for a verdict."""
    left = [x + math.log1p(percent / 100) for line in lines for x in line["pairs"][name]]
    while (one := judge(left, Margins(), len(lines[0]["verdicts"]))).verdict is not None:
        yield one
        left = left[one.wanted :]


if __name__ == "__main__":
    sys.exit(main())
