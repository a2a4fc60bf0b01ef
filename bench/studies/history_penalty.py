"""What a change point must be worth: the penalty at which 1 % of unchanged series have one.

    python bench/studies/history_penalty.py

Of series of levels without a change, normal and with one in twenty far off: what the best change explains,
in variances, and how often one is found. The last columns are how often a step is found within three commits
of where it is, in the middle and five before the end.
"""

from __future__ import annotations

import sys

import numpy as np

from qcaps.history.changes import LEAST, PENALTY, noise, points, worth

SERIES, STEPS, LONG = 600, 100, 500


def main() -> int:
    """Print a table."""
    draw = np.random.default_rng(7)
    say(f"penalty used: {PENALTY[0]} + {PENALTY[1]} ln n + {PENALTY[2]} / n; segments of {LEAST} or more")
    say("noise | commits | 99 % of unchanged | have a change | step of 1 sd | 2 sd | 4 sd | 2 sd at the end")
    for name, far in (("normal", 0.0), ("one in 20 five times as far", 0.05)):
        for length in (10, 20, 50, 100, 200, 500, 1000):
            count = SERIES if length < LONG else SERIES // 4

            def series(length: int = length, far: float = far) -> np.ndarray:
                wide = np.where(draw.random(length) < far, 5.0, 1.0)
                return draw.normal(0, 1, length) * wide

            gains = [worth(one := series(), noise(one)) for _ in range(count)]
            false = np.mean([bool(points(one := series(), noise(one))) for _ in range(count)])
            found = [_found(series, length // 2, size) for size in (1, 2, 4)]
            late = _found(series, length - 5, 2)
            say(
                f"{name} | {length} | {np.quantile(gains, 0.99):.1f} | {false:.1%} | "
                + " | ".join(f"{one:.0%}" for one in (*found, late))
            )
    return 0


def say(line: str) -> None:
    """A line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _found(series: object, at: int, size: float) -> float:
    hits = 0
    for _ in range(STEPS):
        one = series()  # type: ignore[operator]
        one[at:] += size
        hits += any(abs(found - at) <= 3 for found in points(one, noise(one)))  # noqa: PLR2004  # as said above
    return hits / STEPS


if __name__ == "__main__":
    sys.exit(main())
