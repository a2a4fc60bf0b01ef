"""A real git repository of qcaps whose commits slow a loop down, or look up more often, by what was planted.

    python bench/studies/planted.py REPOSITORY --commits 100 --steps 30:0.03 60:-0.02

It has the package as it is, a build that needs no network, and what of `loop` a commit changes. The benchmark
is the suite `planted` in REPOSITORY/content: `qcaps history --repo REPOSITORY --content REPOSITORY/content
--suite planted HEAD`.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import qcaps

if TYPE_CHECKING:
    from collections.abc import Mapping

LOOP = "qcaps/measure/subjects/loop.py"
PROJECT = """\
[build-system]
requires = []
build-backend = "build_it"
backend-path = ["."]
[project]
name = "qcaps"
version = "0.1.0"
"""
BUILD = '''\
"""A wheel with the package in it, without anything that must be fetched."""
import pathlib, zipfile

def build_wheel(directory, config_settings=None, metadata_directory=None):
    name, info = "qcaps-0.1.0-py3-none-any.whl", "qcaps-0.1.0.dist-info"
    with zipfile.ZipFile(pathlib.Path(directory) / name, "w") as wheel:
        for path in sorted(pathlib.Path("qcaps").rglob("*.*")):
            wheel.write(path, path.as_posix())
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\\nName: qcaps\\nVersion: 0.1.0\\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(f"{info}/RECORD", "")
    return name
'''
_SUITE = '''\
"""The loop whose slowdowns are known, at two sizes."""

from qcaps.measure.cell import Cell

SUMMARY = "a loop of {turns} turns"


def cells():
    """One loop for each benchmark, each a little longer."""
    return [Cell("loop", {turns} + number, subject="loop") for number in range({benchmarks})]
'''


def make(
    place: Path,
    commits: int,
    steps: Mapping[int, float],
    *,
    lookups: Mapping[int, int] | None = None,
    broken: tuple[int, ...] = (),
    tags: Mapping[int, str] | None = None,
    turns: int = 16_000,
    benchmarks: int = 1,
) -> list[str]:
    """Make the repository; its commits, oldest first.

    From commit `steps` on the loop has a share more turns (0.03: 3 %), on top of what earlier ones added;
    from commit `lookups` on it says that it looks up so often. A commit in `broken` does not build.
    """
    shutil.copytree(
        Path(qcaps.__file__).parent, place / "qcaps", ignore=shutil.ignore_patterns("__pycache__", "_content")
    )
    (place / "pyproject.toml").write_text(PROJECT)
    suites = place / "content" / "bench" / "suites"
    suites.mkdir(parents=True)
    (suites / "planted.py").write_text(_SUITE.format(turns=turns, benchmarks=benchmarks))
    (place / ".gitignore").write_text("content/\n")
    _git(place, "init", "-q")
    _git(place, "config", "user.name", "planted")
    _git(place, "config", "user.email", "planted@example.org")
    found, factor, count = [], 1.0, 0
    original = (place / LOOP).read_text()
    for number in range(commits):
        factor *= 1 + steps.get(number, 0.0)
        count = (lookups or {}).get(number, count)
        text = original.replace("Loop(cell.n)", f"Loop(round(cell.n * {factor!r}))")
        (place / LOOP).write_text(text.replace("lookups=0", f"lookups={count}"))
        (place / "build_it.py").write_text("raise SystemExit('planted')\n" if number in broken else BUILD)
        (place / "NEWS").write_text(f"commit {number}\n")
        _git(place, "add", "-A")
        _git(place, "commit", "-q", "-m", f"commit {number}")
        found.append(_git(place, "rev-parse", "HEAD"))
        if name := (tags or {}).get(number):
            _git(place, "tag", name)
    return found


def _git(place: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(place), *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def main() -> int:
    """Make one as the command line says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("repository", type=Path)
    parser.add_argument("--commits", type=int, default=100)
    parser.add_argument("--steps", nargs="*", default=[], metavar="COMMIT:SHARE")
    parser.add_argument("--benchmarks", type=int, default=1)
    args = parser.parse_args()
    steps = {int(at): float(share) for at, _, share in (one.partition(":") for one in args.steps)}
    commits = make(args.repository, args.commits, steps, benchmarks=args.benchmarks)
    sys.stdout.write(f"{commits[0]}..{commits[-1]}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
