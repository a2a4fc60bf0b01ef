"""How often gates are wrong: ours, pytest-benchmark and pyperf compare_to, side by side in the same weather.

    python bench/studies/gate_accuracy.py --seconds 1200 -o accuracy.jsonl   measure, or go on with it
    python bench/studies/gate_accuracy.py --report -o accuracy.jsonl         the table

The workload is a loop of pure Python of about 2 ms, a slowdown exactly so many more turns. Base and head are
decided upon again and again, with no slowdown (each FAIL is a false alarm) and with 3, 5 and 10 %, quiet and
beside two neighbours that sweep through memory in bursts. Every decision is one line of the output. Gates run
without their pre-flight, which would refuse to judge on the worst of these hosts.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import replace
from functools import partial
from math import log
from pathlib import Path
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any

import qcaps
from qcaps.measure.cell import Cell
from qcaps.measure.gate.arms import Arm
from qcaps.measure.gate.benches import decide
from qcaps.measure.gate.calibration import upper_bound
from qcaps.measure.gate.decision import GateOutcome, check_counts
from qcaps.measure.gate.margins import MarginTable
from qcaps.measure.gate.rounds import Bench
from qcaps.measure.gate.verdict import LOOKS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TURNS = 16_000
OURS = (*(0.0,) * 9, 0.03, 0.05)
OTHERS = (0.0, 0.03, 0.05, 0.10)
OTHERS_EVERY = 4
RULES = (("mean", 0.05), ("median", 0.05), ("min", 0.05))

_WORK = """\
def work(turns):
    table, total = {}, 0
    for number in range(turns):
        total = (total + number * number) & 0xFFFF
        table[total & 0xFF] = number
"""
_UNUSED = """
TABLE = {str(number): [number] * 7 for number in range(50)}
ROW = tuple(range(300))


def unused(one: int, other: str) -> str:
    \"\"\"Nobody calls this.\"\"\"
    return other * one
"""
_PYTEST = """\
import os
from work import work
def test_work(benchmark):
    benchmark(work, int(os.environ['TURNS']))
"""
_PYPERF = """\
import os, pyperf
from work import work
runner = pyperf.Runner()
runner.bench_func('work', work, int(os.environ['TURNS']))
"""
_HOG = """\
import random, time
block = bytearray(64 << 20)
while True:
    end = time.monotonic() + random.uniform(0.05, 0.5)
    while time.monotonic() < end:
        block[::64] = bytes(len(block) // 64)
    time.sleep(random.uniform(0.05, 0.5))
"""


def main() -> int:
    """Measure for a while, or print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("-o", "--output", type=Path, default=Path("gate-accuracy.jsonl"))
    parser.add_argument("--tools", choices=("all", "ours", "others"), default="all", help="whose decisions")
    parser.add_argument("--weather", choices=("quiet", "noisy"), help="one of the two (default: in turn)")
    parser.add_argument("--report", action="store_true", help="print the table of what was measured")
    args = parser.parse_args()
    if not args.report:
        measure(args.output, args.seconds, tools=args.tools, weather=args.weather)
    lines = args.output.read_text().splitlines()
    sys.stdout.write(report([json.loads(line) for line in lines]) + "\n")
    return 0


def measure(output: Path, seconds: float, *, tools: str, weather: str | None = None) -> None:
    """Add decisions to a file until the time is up, quiet and noisy in turn.

    Of `all` tools the others, which take longer, decide in every fourth repetition only.
    """
    end = time.monotonic() + seconds
    with tempfile.TemporaryDirectory(prefix="qcaps-accuracy-") as scratch:
        folder = Path(scratch)
        for name, text in (("work.py", _WORK), ("test_work.py", _PYTEST), ("bm_work.py", _PYPERF)):
            (folder / name).write_text(text)
        ours = _Ours(folder)
        repetition = 0
        while time.monotonic() < end:
            noisy = repetition % 2 == 1 if weather is None else weather == "noisy"
            jobs: list[tuple[Callable[[float], dict[str, Any]], float]] = []
            if tools != "others":
                jobs += [(ours.decide, one) for one in OURS]
            if tools == "others" or (tools == "all" and repetition // 2 % OTHERS_EVERY == 0):
                for tool in (_pytest_benchmark, _pyperf):
                    jobs += [(partial(tool, folder), one) for one in OTHERS]
            random.shuffle(jobs)
            with neighbours(noisy):
                for decide_on, share in jobs:
                    if time.monotonic() > end:
                        return
                    start = time.monotonic()
                    found = decide_on(share)
                    line = {
                        **found,
                        "slowdown": share,
                        "noisy": noisy,
                        "seconds": round(time.monotonic() - start, 3),
                        "load": round(os.getloadavg()[0], 2),
                    }
                    with output.open("a") as file:
                        file.write(json.dumps(line) + "\n")
            repetition += 1


class _Ours:
    """Decisions of this gate; head is a copy that lies elsewhere and has more in it, as other versions do."""

    def __init__(self, folder: Path) -> None:
        cell = Cell("loop", TURNS, subject="loop")
        (folder / "blocks").mkdir()
        self.bench = Bench(sources={cell: ""}, scratch=folder / "blocks")
        copy = folder / "another version"
        shutil.copytree(Path(qcaps.__file__).parent, copy / "qcaps")
        with (copy / "qcaps" / "measure" / "loop_subject.py").open("a") as file:
            file.write(_UNUSED)
        self.base = Arm("base", sys.executable)
        self.head = Arm("head", sys.executable, path=str(copy))
        self.counted = GateOutcome()
        check_counts(self.bench, (self.base, self.head), (cell,), self.counted)

    def decide(self, share: float) -> dict[str, Any]:
        """One verdict."""
        arms = (self.base, replace(self.head, slowdown=share))
        outcome, store = decide(self.bench, arms, self.counted, MarginTable())
        (judged,) = outcome.judged
        (pairs,) = store.pairs.values()
        return {
            "tool": "qcaps gate",
            "verdict": judged.verdict.value,
            "pairs": len(pairs),
            "ratios": [round(pair.head / pair.base, 5) for pair in pairs],
        }


def _pytest_benchmark(folder: Path, share: float) -> dict[str, Any]:
    """Base, then head, each its own pytest; what `--benchmark-compare-fail` compares."""
    stats = []
    for name, turns in (("base", TURNS), ("head", round(TURNS * (1 + share)))):
        file = folder / f"pytest-{name}.json"
        arguments = ("-q", "-p", "no:cacheprovider", "--benchmark-only", f"--benchmark-json={file}")
        _run(folder, turns, "-m", "pytest", *arguments, "test_work.py")
        stats.append(json.loads(file.read_text())["benchmarks"][0]["stats"])
    base, head = stats
    slower = {f"{field}:{limit:.0%}": head[field] > base[field] * (1 + limit) for field, limit in RULES}
    return {"tool": "pytest-benchmark", "slower": slower}


def _pyperf(folder: Path, share: float) -> dict[str, Any]:
    """Base, then head, each `--fast`; what `compare_to` says."""
    files = []
    for name, turns in (("base", TURNS), ("head", round(TURNS * (1 + share)))):
        file = folder / f"pyperf-{name}.json"
        file.unlink(missing_ok=True)
        _run(folder, turns, "bm_work.py", "--fast", "--quiet", "--inherit-environ=TURNS", "-o", str(file))
        files.append(str(file))
    said = _run(folder, 0, "-m", "pyperf", "compare_to", *files)
    return {"tool": "pyperf compare_to", "slower": {"significant": "slower" in said}}


def _run(folder: Path, turns: int, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "TURNS": str(turns)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(arguments)}: {done.stdout[-500:]}{done.stderr[-500:]}")
    return done.stdout


@contextlib.contextmanager
def neighbours(wanted: bool) -> Iterator[None]:  # noqa: FBT001  # a switch
    """Two processes that sweep through memory in bursts, if wanted."""
    hogs = [subprocess.Popen([sys.executable, "-c", _HOG]) for _ in range(2 if wanted else 0)]
    try:
        yield
    finally:
        for hog in hogs:
            hog.kill()
            hog.wait()


def report(lines: list[dict[str, Any]]) -> str:
    """A Markdown table: percent of decisions that say "slower", with how many there were, quiet / noisy."""
    shares = sorted({line["slowdown"] for line in lines})
    rows: dict[str, dict[tuple[float, bool], list[bool]]] = {}
    seconds: dict[tuple[str, bool], list[float]] = {}
    for line in lines:
        slower = line.get("slower") or {"": line["verdict"] == "FAIL"}
        for rule, says in slower.items():
            name = f"{line['tool']} {rule}".strip()
            rows.setdefault(name, {}).setdefault((line["slowdown"], line["noisy"]), []).append(says)
            seconds.setdefault((name, line["noisy"]), []).append(line["seconds"])
    out = ["| gate | " + " | ".join(_heading(share) for share in shares) + " | seconds a decision |"]
    out.append("|---|" + "---|" * (len(shares) + 1))
    for name, found in sorted(rows.items()):
        cells = [
            " / ".join(_rate(found.get((share, noisy), [])) for noisy in (False, True)) for share in shares
        ]
        times = " / ".join(_median(seconds.get((name, noisy), [])) for noisy in (False, True))
        out.append(f"| {name} | " + " | ".join(cells) + f" | {times} |")
    return "\n".join([*out, "", *_alarms(lines), *_verdicts(lines)])


def _alarms(lines: list[dict[str, Any]]) -> Iterator[str]:
    for noisy in (False, True):
        found = [
            line["verdict"] == "FAIL"
            for line in lines
            if "verdict" in line and line["slowdown"] == 0 and line["noisy"] == noisy
        ]
        if found:
            bound = upper_bound(sum(found), len(found))
            yield (
                f"{'noisy' if noisy else 'quiet'}: {sum(found)} false alarms in {len(found)} A/A decisions"
                f" (95 % upper bound {bound:.1%})"
            )


def _verdicts(lines: list[dict[str, Any]]) -> Iterator[str]:
    for noisy in (False, True):
        for share in sorted({line["slowdown"] for line in lines}):
            ours = [
                line
                for line in lines
                if "verdict" in line and (line["slowdown"], line["noisy"]) == (share, noisy)
            ]
            if ours:
                found = Counter(line["verdict"] for line in ours)
                said = ", ".join(f"{count} {name}" for name, count in found.most_common())
                took = _median([line["seconds"] for line in ours])
                means = [fmean(map(log, line["ratios"][: LOOKS[0]])) for line in ours]
                # Of all decisions alike the first pairs: no rule of when to stop has chosen them.
                wrong = f" +- {stdev(means) / len(means) ** 0.5:.2%}" if len(means) > 1 else ""
                yield (
                    f"{'noisy' if noisy else 'quiet'} {_heading(share)}: {said}; median {took} s; "
                    f"ln(ratio) of the first {LOOKS[0]} pairs {fmean(means):+.2%}{wrong}"
                )
    loads = sorted(line["load"] for line in lines)
    yield f"load average: median {loads[len(loads) // 2]}, {loads[0]} to {loads[-1]}"


def _heading(share: float) -> str:
    return f"+{share:.0%}" if share else "A/A"


def _rate(found: list[bool]) -> str:
    return f"{sum(found) / len(found):.0%} ({len(found)})" if found else "-"


def _median(values: list[float]) -> str:
    return f"{sorted(values)[len(values) // 2]:.1f}" if values else "-"


if __name__ == "__main__":
    sys.exit(main())
