"""How often `qcaps bisect` names the right commit: histories of qcaps' own kind, one cause planted in each.

    python bench/studies/bisect_histories.py -o bisect.jsonl --by counts --histories 20
    python bench/studies/bisect_histories.py -o bisect.jsonl --by time --histories 20 --seconds 3000
    python bench/studies/bisect_histories.py -o bisect.jsonl --report

A history is a repository with a copy of this qcaps and 64 commits: all but one are harmless edits of its
modules, the loop's and the policies' own among them; one, at a place that is drawn, makes `once` look up more
often (--by counts), or makes the loop 5 % longer (--by time). The whole command is run, as a user would. A
line of the file is a history; the same command goes on after any end.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))  # studies are run by path

import qcaps
from bench.studies.planted import BUILD, PROJECT

COMMITS = 64
_LOOP_SUITE = """
from qcaps.measure.cell import Cell
SUMMARY = "the loop"
def cells():
    yield Cell("loop", 4_000, subject="loop")
"""
_COUNT_SUITE = """
from qcaps.measure.cell import Cell
SUMMARY = "one define"
def cells():
    yield Cell("disks", 2, "define", "ctime", "once")
"""
_SUITES = {"counts": _COUNT_SUITE, "time": _LOOP_SUITE}
_CAUSES = {
    "counts": (
        ("lookups/policy.py", 'the correct way", _all(Sharing.TASK)', 'the correct way", LADDER[-1].sharing'),
        ("lookups/policy.py", 'the correct way", _all(Sharing.TASK)', 'the correct way", NAIVE.sharing'),
        ("lookups/policy.py", 'the correct way", _all(Sharing.TASK)', 'the correct way", LADDER[7].sharing'),
    ),
    "time": (("measure/subjects/loop.py", "self._turns = turns", "self._turns = round(1.05 * turns)"),),
}
_HARMLESS = (
    "lookups/policy.py",
    "measure/subjects/loop.py",
    "measure/subjects/reference.py",
    "driver/phases.py",
    "cache/cache.py",
    "domain/writing.py",
    "release.py",
)


def main() -> int:
    """Run histories that are not in the file yet, then print what it has."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--by", choices=tuple(_SUITES), default="counts")
    parser.add_argument("--histories", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=3600.0)
    parser.add_argument("--report", action="store_true")
    args = parser.parse_args()
    end = time.monotonic() + args.seconds
    for seed in range(0 if args.report else args.histories):
        done = {(one["by"], one["seed"]) for one in lines(args.output)}
        if (args.by, seed) not in done and time.monotonic() < end:
            line = one_history(args.by, seed)
            with args.output.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()
    for by in _SUITES:
        if known := [one for one in lines(args.output) if one["by"] == by]:
            sys.stdout.write(summary(by, known) + "\n")
    return 0


def lines(path: Path) -> list[dict[str, Any]]:
    """What the file has."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def one_history(by: str, seed: int) -> dict[str, Any]:
    """Make a repository, bisect it, and say whether the commit named is the one planted."""
    draw = random.Random(f"{by} {seed}")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        planted = history(folder / "repository", by, draw)
        (folder / "content" / "bench" / "suites").mkdir(parents=True)
        (folder / "content" / "bench" / "suites" / "planted.py").write_text(_SUITES[by])
        begins = time.monotonic()
        options = {"--repo": "repository", "--content": "content", "--builds": "builds", "-o": "out"}
        where = [word for option, name in options.items() for word in (option, str(folder / name))]
        command = [
            sys.executable,
            "-m",
            "qcaps",
            "bisect",
            "good",
            "bad",
            "--suite",
            "planted",
            "--json",
            "-q",
        ]
        command += where
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        seconds = time.monotonic() - begins
        found = json.loads(done.stdout) if done.stdout else {}
        steps = found.get("steps", [])
        return {
            "by": by,
            "seed": seed,
            "planted": planted,
            "status": done.returncode,
            "named": found.get("first_bad") is not None,
            "right": found.get("first_bad") == planted,
            "among": planted in found.get("left", []),
            "builds": len(list((folder / "builds").glob("*/packages-built"))),
            "pairs": [one["pairs"] for one in steps[2:]],
            "sides": [one["side"] for one in steps[2:]],
            "seconds": round(seconds, 1),
            "said": done.stderr.strip().splitlines()[-1:] if done.returncode else [],
        }


def history(folder: Path, by: str, draw: random.Random) -> str:
    """A repository with 64 commits after the one tagged `good`; the commit that was planted."""
    source = Path(qcaps.__file__).resolve().parent
    shutil.copytree(source, folder / "qcaps", ignore=shutil.ignore_patterns("__pycache__", "_content"))
    (folder / "build_it.py").write_text(BUILD)
    (folder / "pyproject.toml").write_text(PROJECT)
    git(folder, "init", "-q")
    commit(folder, "qcaps as it is")
    git(folder, "tag", "good")
    place, found = draw.randrange(COMMITS), ""
    for number in range(COMMITS):
        if number == place:
            file, old, new = draw.choice(_CAUSES[by])
            path = folder / "qcaps" / file
            text = path.read_text()
            if old not in text:
                raise SystemExit(f"{file}: has no {old!r}: this study is older than it")
            path.write_text(text.replace(old, new, 1))
            found = commit(folder, "The cause")
        else:
            with (folder / "qcaps" / draw.choice(_HARMLESS)).open("a") as file_:
                file_.write(f"\n\ndef _unused_{number}(value: int) -> int:\n    return value + {number}\n")
            commit(folder, f"Harmless {number}")
    git(folder, "tag", "bad")
    return found


def commit(folder: Path, subject: str) -> str:
    """All there is, as a commit; its name."""
    git(folder, "add", "-A")
    git(folder, "-c", "user.name=study", "-c", "user.email=study@localhost", "commit", "-qm", subject)
    return git(folder, "rev-parse", "HEAD")


def git(folder: Path, *arguments: str) -> str:
    """What git says."""
    done = subprocess.run(["git", "-C", str(folder), *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def summary(by: str, known: list[dict[str, Any]]) -> str:
    """One line: right, wrong, not told, builds, seconds."""
    right = sum(one["right"] for one in known)
    wrong = sum(one["named"] and not one["right"] for one in known)
    builds = sorted(one["builds"] for one in known)
    seconds = sorted(one["seconds"] for one in known)
    return (
        f"by {by}: {len(known)} histories of {COMMITS} commits: {right} named right, {wrong} named wrong, "
        f"{len(known) - right - wrong} not told; at most {builds[-1]} builds; "
        f"{seconds[len(seconds) // 2]:.0f} s (median), {seconds[-1]:.0f} s at most"
    )


if __name__ == "__main__":
    sys.exit(main())
