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
import random
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))  # studies are run by path

from bench.studies import planted
from qcaps.history import records, track
from qcaps.history.events import events
from qcaps.history.store import reading

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


def _report(store: Path, steps: dict[int, float], names: list[str]) -> None:
    with reading(store) as opened:
        known = records.revisions(opened)
        found = events(track.read_all(opened), known)
        (pairs,) = opened.connection.execute("SELECT count(*) FROM pair").fetchone()
    at = {names.index(one.after.name): one for one in found if one.settled}
    open_ = [names.index(one.after.name) for one in found if not one.settled]
    right = [one for one in steps if one in at]
    elsewhere = [one for one in at if one not in steps]
    lines = [f"{store.name}: {len(known)} commits, {pairs} pairs"]
    lines.append(
        f"  {len(right)} of {len(steps)} planted steps settled at their commit, {len(elsewhere)} elsewhere"
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
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    sys.exit(main())
