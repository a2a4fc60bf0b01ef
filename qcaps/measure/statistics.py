"""How much slower, from pairs: the Hodges-Lehmann estimate and the interval of Wilcoxon's signed-rank test.

Both rest on the averages of all pairs of differences (Walsh averages), here differences of logarithms. They
ask only that the differences lie symmetrically about their middle; a few wild ones hardly move them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

CONFIDENCE = 0.95
FEWEST_PAIRS = 6
"""Below it the widest interval there is holds less than 95 %."""
_EXACT_UP_TO = 50


@dataclass(frozen=True)
class Ratio:
    """An estimated ratio and its interval; `pairs` is how many pairs it rests on.

    Fewer than FEWEST_PAIRS cannot give 95 %: the interval is then from the least to the greatest of the
    pairs' ratios.
    """

    ratio: float
    low: float
    high: float
    pairs: int


def paired_ratio(
    numerators: Sequence[float], denominators: Sequence[float], confidence: float = CONFIDENCE
) -> Ratio:
    """The ratio of paired positive values (seconds over seconds); raises ValueError without a pair."""
    logs = np.log(np.asarray(numerators, dtype=float)) - np.log(np.asarray(denominators, dtype=float))
    low, middle, high = hodges_lehmann(logs, confidence)
    return Ratio(math.exp(middle), math.exp(low), math.exp(high), len(logs))


def hodges_lehmann(
    differences: NDArray[np.float64], confidence: float = CONFIDENCE
) -> tuple[float, float, float]:
    """Lower bound, pseudo-median and upper bound of where differences lie."""
    count = len(differences)
    if count == 0:
        raise ValueError("no differences")
    one, other = np.triu_indices(count)
    walsh = np.sort((differences[one] + differences[other]) / 2)
    dropped = walsh_averages_outside(count, confidence)
    return float(walsh[dropped]), float(np.median(walsh)), float(walsh[len(walsh) - 1 - dropped])


def walsh_averages_outside(count: int, confidence: float) -> int:
    """How many Walsh averages lie beyond each end of the interval.

    The largest k with P(signed-rank sum <= k) <= (1 - confidence) / 2, or 0 where there is none: exact up
    to 50 differences, beyond that from the normal approximation with its correction for continuity.
    """
    tail = (1 - confidence) / 2
    if count <= _EXACT_UP_TO:
        below = np.cumsum(signed_rank_distribution(count))
        return max(int(np.searchsorted(below, tail, side="right")) - 1, 0)
    mean = count * (count + 1) / 4
    deviation = math.sqrt(count * (count + 1) * (2 * count + 1) / 24)
    return max(int(mean + NormalDist().inv_cdf(tail) * deviation - 0.5), 0)


def signed_rank_distribution(count: int) -> NDArray[np.float64]:
    """P(sum of the ranks of the positive differences = s), s from 0 to count (count + 1) / 2."""
    chances = np.zeros(count * (count + 1) // 2 + 1)
    chances[0] = 1.0
    for rank in range(1, count + 1):
        with_rank = np.zeros_like(chances)
        with_rank[rank:] = chances[:-rank]
        chances = (chances + with_rank) / 2
    return chances


def power_law(xs: Sequence[float], ys: Sequence[float]) -> tuple[float, float]:
    """Exponent and factor of ys = factor * xs ** exponent, by least squares of logarithms."""
    exponent, intercept = np.polyfit(np.log(xs), np.log(ys), 1)
    return float(exponent), math.exp(float(intercept))
