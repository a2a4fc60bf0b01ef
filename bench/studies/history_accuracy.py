"""How often a history finds what was planted, at the right commit, and how often something that is not there.

    python bench/studies/history_accuracy.py FOLDER --sizes 1 2 3 5 -2 -3     measure, or go on
    python bench/studies/history_accuracy.py FOLDER --sizes                   nothing planted
    python bench/studies/history_accuracy.py FOLDER --report                  say what was found

FOLDER gets a real git repository of this qcaps with as many commits; at places that are drawn a loop becomes
slower (or faster) by so many percent, exactly. `qcaps history` builds and measures them all, and settles what
it suspects. --again measures the same commits anew, into a store of its own.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))  # studies are run by path

from bench.studies import planted
from qcaps.history import changes, records, track
from qcaps.history.events import events
from qcaps.history.store import reading

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from qcaps.history.levels import Level

DRAWN, LONG, NEAR = 300, 100, 3
APART = 6
"""Commits between two steps at least."""


def main() -> int:
    """Measure, or report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--commits", type=int, default=100)
    parser.add_argument("--sizes", type=float, nargs="*", default=[], metavar="PERCENT")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--again", type=int, default=0, metavar="N")
    parser.add_argument("--pairs", type=int, default=8)
    parser.add_argument("--report", action="store_true")
    args = parser.parse_args()
    repository, plan = args.folder / "repository", args.folder / "planted.json"
    if not args.report:
        if not plan.exists():
            steps = dict(zip(_places(args), [one / 100 for one in args.sizes], strict=True))
            names = planted.make(repository, args.commits, steps)
            plan.write_text(json.dumps({"steps": steps, "commits": names}))
        start = time.monotonic()
        done = subprocess.run(
            [
                *(sys.executable, "-m", "qcaps", "history", "HEAD", "--repo", str(repository)),
                *("--content", str(repository / "content"), "--suite", "planted", "--pairs", str(args.pairs)),
                *("--builds", str(args.folder / "builds"), "-v"),
                *("--store", str(args.folder / f"history-{args.again}.db")),
            ],
            check=False,
        )
        sys.stdout.write(f"status {done.returncode}, {time.monotonic() - start:.0f} s\n")
    known = json.loads(plan.read_text())
    for store in sorted(args.folder.glob("history-*.db")):
        _report(store, {int(at): share for at, share in known["steps"].items()}, known["commits"])
    return 0


def _places(args: argparse.Namespace) -> list[int]:
    """Commits that change something, far enough from each other and from both ends."""
    draw = random.Random(args.seed)
    slots = list(range(APART, args.commits - APART, APART))
    if len(slots) < len(args.sizes):
        raise SystemExit("too many steps for so few commits")
    return sorted(slot + draw.randrange(APART // 2) for slot in draw.sample(slots, len(args.sizes)))


def _report(store: Path, planned: dict[int, float], names: list[str]) -> None:
    with reading(store) as opened:
        known = records.revisions(opened)
        tracks = track.read_all(opened)
        found = events(tracks, known)
        (pairs,) = opened.connection.execute("SELECT count(*) FROM pair").fetchone()
    place = {number: names.index(one.name) for number, one in known.items()}
    measured = {place[one.revision] for segment in tracks[0].segments for one in segment.levels}
    steps = {at: share for at, share in planned.items() if at in measured}
    at = {names.index(one.after.name): one for one in found if one.settled}
    open_ = [names.index(one.after.name) for one in found if not one.settled]
    elsewhere = [one for one in at if one not in steps]
    right = sum(one in at for one in steps)
    lines = [f"{store.name}: {len(measured)} commits, {pairs} pairs"]
    lines.append(
        f"  {right} of {len(steps)} planted steps settled at their commit, {len(elsewhere)} elsewhere"
    )
    lines.append(f"  suspected and not settled: {open_ or 'none'}")
    for one, share in steps.items():
        if one in at:
            change = at[one].changes[0]
            bounds = f"{change.low - 1:+.1%} to {change.high - 1:+.1%}"
            lines.append(f"  commit {one}: {share:+.0%} planted, {change.ratio - 1:+.1%} found ({bounds})")
        else:
            lines.append(f"  commit {one}: {share:+.0%} planted, not found")
    lines += [
        f"  commit {one}: nothing planted, {at[one].changes[0].ratio - 1:+.1%} found" for one in elsewhere
    ]
    lines += list(_without(tracks[0].segments[0].levels, place, steps))
    sys.stdout.write("\n".join(lines) + "\n")


def _without(line: Sequence[Level], place: dict[int, int], steps: dict[int, float]) -> Iterator[str]:
    """The same levels, what was planted taken off; and so many of them drawn as make an unchanged history."""

    def planted_before(level: Level) -> float:
        return sum(math.log1p(share) for at, share in steps.items() if at <= place[level.revision])

    plain = [replace(level, log=level.log - planted_before(level)) for level in line]
    logs = np.array([level.log for level in plain])
    own = float(np.median([level.own_error for level in plain]))
    yield (
        f"  without the steps levels scatter by {np.std(logs):.2%}, their pairs say {own:.2%};"
        f" {len(changes.suspects(plain))} suspects"
    )
    draw = np.random.default_rng(1)

    def searched(size: float) -> list[bool]:
        """Whether a step of that size is found within three commits; any at all, where there is none."""
        found = []
        for _ in range(DRAWN):
            drawn, at = draw.choice(logs, LONG), int(draw.integers(LONG // 10, LONG - LONG // 10))
            drawn[at:] += math.log1p(size)
            seen = changes.points(drawn, max(changes.noise(drawn), 0.7 * own))
            found.append(any(abs(one - at) <= NEAR for one in seen) if size else bool(seen))
        return found

    for size in (0.0, 0.01, 0.02, 0.03):
        what = f"a step of {size:.0%} suspected" if size else "one suspected where nothing is"
        yield f"  {LONG} of these levels drawn, {DRAWN} times: {what} in {sum(searched(size))}"


if __name__ == "__main__":
    sys.exit(main())
