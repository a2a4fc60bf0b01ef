"""Every command killed at instants drawn at random: no half of a file, and nothing left after the next start.

    python bench/studies/kill_sweep.py [COMMAND…] [--times 50] [--seed 0] [--list]

Each is killed `--times` times alone and as often with its whole process group, in a folder of its own and
with a temporary folder of its own. Then it is started once more, and has to come to its end. Counted are
**halves** (files that are not whole: JSON, XML, SVG and HTML are read), **leftovers** after that start (files
and folders under the names that qcaps writes by, processes of the killed one) and starts that **failed**.
Commands that start QEMU, libvirt or a daemon of our own need those; they are passed over, and said, where
there are none. Status 1 if anything was found. One sweep at a time: scratch folders in memory are
everybody's.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from lxml import etree

from qcaps.files import is_held
from qcaps.scenario import scenario

if TYPE_CHECKING:
    from collections.abc import Iterator

_TOKEN: Final = "QCAPS_KILL_SWEEP"  # noqa: S105  # a name, no secret
_GONE_SECONDS: Final = 10.0
_MOST_SECONDS: Final = 300.0
_QEMU: Final = "/usr/bin/qemu-system-x86_64"
_SCRATCH: Final = ".qcaps-scratch-*"
_MEMORY: Final = Path("/dev/shm")  # noqa: S108  # where commands that measure have theirs
_OURS: Final = ("*.qcaps-new", _SCRATCH, ".qcaps-lock", ".*.qcaps-lock", "qcaps-live-*", ".shim-*")


class Killed(NamedTuple):
    """A command to kill: its words, what it needs, and what it finds in its folder before."""

    name: str
    words: str
    needs: tuple[str, ...] = ()
    before: str = ""
    goes_on: str = ""


_RUN: Final = "run disks -n 1 2 --pairs 2 --processes 1 --policy once -o out"
_LOOP: Final = "--content own --suite loop"
_SUITE: Final = """from qcaps.measure.cell import Cell
SUMMARY = "a loop"
def cells():
    yield Cell("loop", 500, subject="loop")
"""
_SAME: Final = "disks -n 1 --task define --base reference --head reference"
COMMANDS: Final = (
    Killed("define", "define guest.xml"),
    Killed("start", "start guest.xml"),
    Killed("explain", "explain guest.xml"),
    Killed("scenarios", "scenarios show disks -n 50 -o out.xml"),
    Killed("run", _RUN),
    Killed("report", "report out/results.json -o page", before=_RUN),
    Killed("compare", "compare out/results.json out/results.json", before=_RUN),
    Killed("profile", "profile disks -n 1 -o prof"),
    Killed("torn", "torn --tasks 20 -n 1 -o torn --force"),
    Killed("calibrate", f"calibrate {_LOOP} --repetitions 1 --slowdown 0 -o cal", goes_on="--force"),
    Killed("gate", f"gate {_SAME} --counts-only -o gate"),
    Killed("gate times", f"gate {_SAME} -o gate"),
    Killed("probe", f"probe {_QEMU} -o caps.xml", needs=("qemu",)),
    Killed("spawn", "start guest.xml --spawn", needs=("qemu",)),
    Killed("fidelity", "fidelity --live guest.xml", needs=("qemu", "libvirt")),
    Killed("live count", "live count guest.xml", needs=("qemu", "libvirt")),
    Killed("live whatif", "live whatif guest.xml --pairs 2 -o wi", needs=("qemu", "libvirt")),
    Killed("live daemon", "live count guest.xml --daemon", needs=("qemu", "libvirt", "root")),
)
"""In the words of the command line; `goes_on` is added to the next start."""


def main() -> int:
    """Kill, look, and say what was found."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", nargs="*", help="those to kill (default: all)")
    parser.add_argument("--times", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--list", action="store_true", help="name the commands, and no more")
    args = parser.parse_args()
    known = {one.name: one for one in COMMANDS}
    if args.list or not set(args.command) <= set(known):
        sys.stdout.write("\n".join(known) + "\n")
        return 0 if args.list else 2
    bad = 0
    for one in (known[name] for name in args.command or known):
        missing = [need for need in one.needs if not _is_there(need)]
        if missing:
            sys.stdout.write(f"{one.name:12} passed over: no {', '.join(missing)}\n")
            continue
        for group in (False, True):
            found = sweep(one, args.times, group=group, seed=args.seed)
            bad += found["halves"] + found["leftovers"] + found["failed"]
            said = ", ".join(f"{found[what]} {what}" for what in ("halves", "leftovers", "failed"))
            how = "with its group" if group else "alone"
            sys.stdout.write(
                f"{one.name:12} {args.times} times {how:14} {said} ({found['in time']} in mid-work)\n"
            )
            sys.stdout.flush()
    return 1 if bad else 0


def sweep(one: Killed, times: int, *, group: bool, seed: int = 0) -> Counter[str]:
    """How much was found of `times` kills: halves, leftovers, failed; `in time` those that met it at work."""
    chance = random.Random(f"{one.name} {group} {seed}")
    found: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="kill-sweep-") as name:
        base = Path(name)
        for part in ("work", "tmp", "cache"):
            (base / part).mkdir()
        (base / "work" / "guest.xml").write_text(scenario("mixed").xml(4))
        suites = base / "work" / "own" / "bench" / "suites"
        suites.mkdir(parents=True)
        (suites / "loop.py").write_text(_SUITE)
        place = _Place(base, f"{os.getpid()}-{seed}-{one.name}")
        if one.before:
            place.run(one.before)
        shutil.copytree(base / "work", base / "fresh")
        begins = time.monotonic()
        if place.run(one.words):
            raise SystemExit(f"{one.name}: ends with {place.status} when nobody kills it: {place.said}")
        whole = time.monotonic() - begins
        for _ in range(times):
            shutil.rmtree(base / "work")
            shutil.copytree(base / "fresh", base / "work")
            found["in time"] += place.kill(one.words, chance.uniform(0, whole), group=group)
            found["halves"] += sum(not _is_whole(path) for path in place.files())
            found["failed"] += bool(place.run(f"{one.words} {one.goes_on}")) and _said(one, place)
            found["leftovers"] += sum(1 for left in place.left() if _said(one, place, left))
    return found


class _Place:
    """A folder to work in, a temporary one and a cache of its own, and a mark on what is started there."""

    def __init__(self, base: Path, mark: str) -> None:
        self.base, self.mark = base, mark
        self.status, self.said = 0, ""
        self.begins = time.time()
        self.environment = {
            **os.environ,
            "TMPDIR": str(base / "tmp"),
            "XDG_CACHE_HOME": str(base / "cache"),
            "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
            _TOKEN: mark,
        }

    def start(self, words: str) -> subprocess.Popen[bytes]:
        with (self.base / "said").open("wb") as said:
            return subprocess.Popen(
                [sys.executable, "-m", "qcaps", *words.split()],
                cwd=self.base / "work",
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                start_new_session=True,
            )

    def run(self, words: str) -> int:
        """The status of the command, which nobody kills."""
        self.status = self.start(words).wait(_MOST_SECONDS)
        self.said = (self.base / "said").read_text(errors="replace")[-500:]
        return self.status

    def kill(self, words: str, after: float, *, group: bool) -> bool:
        """Whether it was still at work when it was killed."""
        process = self.start(words)
        time.sleep(after)
        at_work = process.poll() is None
        with suppress(ProcessLookupError):
            (os.killpg if group else os.kill)(process.pid, signal.SIGKILL)
        process.wait()
        return at_work

    def files(self) -> Iterator[Path]:
        return (path for path in (self.base / "work").rglob("*") if path.is_file())

    def left(self) -> list[str]:
        """What lies about that nobody holds, and processes of ours that go on."""
        found = [path for name in _OURS for path in self.base.rglob(name)]
        found += [path for path in _MEMORY.glob(_SCRATCH) if path.lstat().st_mtime > self.begins]
        paths = [path for path in found if not (path.is_dir() and is_held(path))]
        end = time.monotonic() + _GONE_SECONDS
        while (alive := list(self._alive())) and time.monotonic() < end:
            time.sleep(0.05)
        return [*map(str, paths), *alive]

    def _alive(self) -> Iterator[str]:
        mark = f"{_TOKEN}={self.mark}".encode()
        for folder in Path("/proc").iterdir():
            with suppress(OSError):
                if folder.name.isdigit() and mark in (folder / "environ").read_bytes().split(b"\0"):
                    yield f"process {folder.name}: {(folder / 'cmdline').read_bytes()[:80]!r}"


def _said(one: Killed, place: _Place, what: str = "") -> bool:
    sys.stdout.write(f"  {one.name}: {what or f'the next start ends with {place.status}: {place.said}'}\n")
    return True


def _is_whole(path: Path) -> bool:
    data = path.read_bytes()
    try:
        if path.suffix == ".json":
            json.loads(data)
        elif path.suffix in (".xml", ".svg"):
            etree.fromstring(data, etree.XMLParser(huge_tree=True))
    except (ValueError, etree.XMLSyntaxError):
        return False
    return path.suffix != ".html" or data.rstrip().endswith(b"</html>")


def _is_there(need: str) -> bool:
    if need == "root":
        return os.geteuid() == 0
    if need == "qemu":
        return Path(_QEMU).exists()
    done = subprocess.run([sys.executable, "-c", "import libvirt"], capture_output=True, check=False)
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
