"""Lines through times against device counts, and the speedup that two such lines amount to.

A time is modelled as a + b n, n the devices of the resulting domain, by least squares of the medians of
blocks, each weighted by 1 / time², since noise is in proportion to the time. Intervals are bootstrapped:
blocks are drawn again with replacement at each n, the line is fitted anew, and 95 % of the lines lie between
the ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from qcaps.measure.statistics import FEWEST_PAIRS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

_DRAWS = 400
_SEED = 1
_TAIL = 2.5
_FEWEST_POINTS = 2


@dataclass(frozen=True)
class Estimate:
    """A value and the ends of its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Line:
    """Seconds at no device, and seconds a device."""

    intercept: Estimate
    slope: Estimate

    def at(self, devices: float) -> float:
        """Seconds at that many devices."""
        return self.intercept.value + self.slope.value * devices


@dataclass(frozen=True)
class FittedSpeedup:
    """(a + b n) / (c + d n), and b / d, which it tends to; None if no slope could be told from 0."""

    slow: Line
    quick: Line
    limit: Estimate | None

    def at(self, devices: float) -> float:
        """How many times as fast at that many devices."""
        return self.slow.at(devices) / self.quick.at(devices)


def fit_line(samples: Mapping[int, Sequence[float]]) -> Line | None:
    """The line through block values (seconds) by device count; None with fewer than two counts.

    None too where a count has fewer blocks than an interval needs, and for values so wild that no line can be
    computed.
    """
    if len(samples) < _FEWEST_POINTS or min(map(len, samples.values())) < FEWEST_PAIRS:
        return None
    with np.errstate(all="ignore"):
        intercepts, slopes = _lines(samples)
    if not (np.isfinite(intercepts).all() and np.isfinite(slopes).all()):
        return None
    return Line(_estimate(intercepts), _estimate(slopes))


def fit_speedup(
    slow: Mapping[int, Sequence[float]], quick: Mapping[int, Sequence[float]]
) -> FittedSpeedup | None:
    """The speedup of two lines, over the device counts that both have."""
    both = sorted(slow.keys() & quick.keys())
    slow_line = fit_line({n: slow[n] for n in both})
    quick_line = fit_line({n: quick[n] for n in both})
    if slow_line is None or quick_line is None:
        return None
    _, b = _lines({n: slow[n] for n in both})
    _, d = _lines({n: quick[n] for n in both})
    limit = None
    if d.min() > 0 and b.min() > 0:
        limit = _estimate(b / d)
    return FittedSpeedup(slow_line, quick_line, limit)


def _lines(samples: Mapping[int, Sequence[float]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Intercepts and slopes: first those of the medians themselves, then of each draw."""
    rng = np.random.default_rng(_SEED)
    columns = []
    for devices in sorted(samples):
        values = np.asarray(samples[devices], dtype=float)
        drawn = values[rng.integers(0, len(values), (_DRAWS, len(values)))]
        columns.append(np.concatenate(([np.median(values)], np.median(drawn, axis=1))))
    xs, ys = np.array(sorted(samples), dtype=float), np.array(columns).T
    weights = 1 / ys**2
    total = weights.sum(axis=1)
    mean_x, mean_y = (weights * xs).sum(axis=1) / total, (weights * ys).sum(axis=1) / total
    across = (weights * (xs - mean_x[:, None]) ** 2).sum(axis=1)
    slopes = (weights * (xs - mean_x[:, None]) * (ys - mean_y[:, None])).sum(axis=1) / across
    return mean_y - slopes * mean_x, slopes


def _estimate(values: NDArray[np.float64]) -> Estimate:
    """The first value; the ends from all draws, and never beside the value itself."""
    low, high = np.percentile(values[1:], [_TAIL, 100 - _TAIL])
    value = float(values[0])
    return Estimate(value, min(value, float(low)), max(value, float(high)))
