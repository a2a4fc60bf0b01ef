"""What the gate's rule makes of simulated pairs: how often each verdict, after how many; no clock is read.

    python bench/studies/gate_rule.py

Pairs scatter by 1.9 % (standard deviation), one in 20 by 10 % more, as on a shared machine; eight series a
run.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
from collections import Counter

import numpy as np

from qcaps.measure.gate.verdict import LOOKS, Margins, judge

SERIES = 8
SCATTER, WILD, WILD_SCATTER = 0.019, 0.05, 0.10
SHIFTS = (0, 1, 3, 5)
"""Percent by which head is slower."""


def main() -> int:
    """Print a row a shift, as Markdown."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    generator = np.random.default_rng(args.seed)
    sys.stdout.write("| head slower by | FAIL | PASS | IMPROVED | INCONCLUSIVE | pairs: median, 90 % |\n")
    sys.stdout.write("|---|---:|---:|---:|---:|---|\n")
    for percent in SHIFTS:
        drawn = generator.normal(math.log1p(percent / 100), SCATTER, (args.runs, LOOKS[-1]))
        drawn += (generator.random(drawn.shape) < WILD) * generator.normal(0, WILD_SCATTER, drawn.shape)
        found = [judge(list(row), Margins(), SERIES) for row in drawn]
        counts = Counter(str(one.verdict) for one in found)
        pairs = sorted(one.wanted for one in found)
        shares = (f"{counts[name] / args.runs:.1%}" for name in ("FAIL", "PASS", "IMPROVED", "INCONCLUSIVE"))
        middle, most = statistics.median(pairs), pairs[int(0.9 * len(pairs))]
        sys.stdout.write(f"| {percent} % | {' | '.join(shares)} | {middle:g}, {most} |\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
