"""What a memory layout is worth to a gate: how much pairs of equal work scatter, and how much of it stays.

    python bench/studies/gate_scatter.py --seconds 300                     this qcaps beside itself
    python bench/studies/gate_scatter.py --seconds 300 --head DIRECTORY    beside the one in DIRECTORY

Three ways take turns: layouts left to the kernel, one drawn for both processes of a pair (what a gate does),
one drawn for each. A pair of processes serves several blocks of a loop of about 2 ms, which tells what stays
with the processes from what changes with each block.
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from qcaps.measure.cell import Cell
from qcaps.measure.gate.arms import Arm
from qcaps.measure.gate.relay import running
from qcaps.measure.gate.rounds import Bench
from qcaps.measure.gate.verdict import median_deviation
from qcaps.measure.worker.chance import Chance, why_random

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qcaps.measure.gate.arms import ArmProcess

CELL = Cell("loop", 16_000, subject="loop")
BLOCKS = 3
CALLS = 20
WAYS = ("left to the kernel", "one for both", "one for each")
_SIGMAS = 1.4826  # a normal distribution's standard deviation, in median deviations


def main() -> int:
    """Measure for a while, then print a row a way."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument(
        "--head", default="", metavar="DIRECTORY", help="where another qcaps lies (a checkout)"
    )
    args = parser.parse_args()
    if refused := why_random():
        parser.error(f"layouts cannot be drawn here: {refused[0]}")
    arms = (Arm("base", sys.executable), Arm("head", sys.executable, path=args.head))
    found: dict[str, list[list[float]]] = {way: [] for way in WAYS}
    end = time.monotonic() + args.seconds
    with tempfile.TemporaryDirectory(prefix="qcaps-scatter-") as scratch:
        bench = Bench(sources={CELL: ""}, scratch=Path(scratch), calls={CELL: CALLS})
        while time.monotonic() < end:
            for way in random.sample(WAYS, len(WAYS)):
                found[way].append(differences(bench, arms, way))
    sys.stdout.write("\n".join(table(found)) + "\n")
    return 0


def table(found: dict[str, list[list[float]]]) -> list[str]:
    """Markdown: of each way how many pairs there were, a block's scatter (robust) and the part that stays."""
    lines = ["| layouts | pairs | one block % | stays % |", "|---|---:|---:|---:|"]
    for way, pairs in found.items():
        one = _SIGMAS * median_deviation([value for blocks in pairs for value in blocks])
        lines.append(f"| {way} | {len(pairs)} | {100 * one:.1f} | {100 * stays(pairs):.1f} |")
    return lines


def differences(bench: Bench, arms: tuple[Arm, Arm], way: str) -> list[float]:
    """ln(head / base) of each block of one pair of processes: the median of its turns."""
    draws = [bench.chance(), bench.chance()]
    if way == "one for both":
        draws[1] = draws[0]
    else:
        draws[1] = replace(draws[1], hash_seed=draws[0].hash_seed)
    if way == "left to the kernel":
        draws = [Chance(draw.hash_seed, None) for draw in draws]
    found = []
    with ExitStack() as stack:
        processes: list[ArmProcess] = []
        for number, (arm, draw) in enumerate(zip(arms, draws, strict=True)):
            folder = bench.scratch / f"process-{number}"
            folder.mkdir(exist_ok=True)
            processes += stack.enter_context(running((arm,), bench.work, draw, folder))
        for _ in range(BLOCKS):
            answers, *_ = bench.take_pair(CELL, processes)
            base, head = (
                [value for turn in answer.complete_rounds() for value in turn[0]] for answer in answers
            )
            found.append(statistics.median(math.log(b / a) for a, b in zip(base, head, strict=True)))
    return found


def stays(pairs: Sequence[Sequence[float]]) -> float:
    """The standard deviation that blocks of one pair have in common (one-way analysis of variance)."""
    within = statistics.fmean(statistics.variance(blocks) for blocks in pairs)
    between = statistics.variance(statistics.fmean(blocks) for blocks in pairs)
    return math.sqrt(max(between - within / BLOCKS, 0.0))


if __name__ == "__main__":
    sys.exit(main())
