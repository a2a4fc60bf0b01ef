"""The sequential verdict on paired differences: a pure function of the differences there are so far.

A difference is ln(head / base) of one pair. Its sequence is looked at when 8 pairs are there, and again when
10, 12, 14, 16, 20, 24, 32, 48 and 64 are, each time with the Hodges-Lehmann interval at one-sided alpha .01 a
side:

    FAIL          the lower bound is above ln(1 + delta), and so is that of 48 fresh pairs at alpha .05
    UNCONFIRMED   it was, but not with the fresh pairs
    IMPROVED      the upper bound is below ln(1 - delta)
    PASS          the upper bound is below ln(1 + margin)
    INCONCLUSIVE  none of these at the last look

16 pairs of base with base come before all others; a host on which they differ is NOISY HOST.
"""

from __future__ import annotations

import enum
import math
import statistics
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from qcaps.measure.statistics import hodges_lehmann

if TYPE_CHECKING:
    from collections.abc import Sequence

LOOKS = (8, 10, 12, 14, 16, 20, 24, 32, 48, 64)
ALPHA = 0.01
CONFIRM_PAIRS = 48
CONFIRM_ALPHA = 0.05
PREFLIGHT_PAIRS = 16
PREFLIGHT_MAD = 0.06
RULES = (
    f"looks at {LOOKS}, alpha {ALPHA}; confirmed by {CONFIRM_PAIRS} pairs, alpha {CONFIRM_ALPHA}; "
    "one layout a pair"
)
"""Verdicts made by others are not to be mixed with these."""
_POWER = 0.9


class Verdict(enum.StrEnum):
    """What a gate says of one series."""

    PASS = "PASS"  # noqa: S105  # no password
    FAIL = "FAIL"
    IMPROVED = "IMPROVED"
    INCONCLUSIVE = "INCONCLUSIVE"
    UNCONFIRMED = "UNCONFIRMED"
    NOISY_HOST = "NOISY HOST"


@dataclass(frozen=True)
class Margins:
    """Shares of the base: a regression is more than `delta`; what is surely less than `margin` passes."""

    delta: float = 0.01
    margin: float = 0.03


@dataclass(frozen=True)
class Interval:
    """The ratio head / base with its interval, from `pairs` pairs.

    `detectable` is the smallest slowdown, as a share, that as many pairs this noisy find in nine of ten runs.
    """

    ratio: float
    low: float
    high: float
    pairs: int
    detectable: float


@dataclass(frozen=True)
class Judgement:
    """A verdict, or None and how many pairs are `wanted` before the next look."""

    verdict: Verdict | None
    wanted: int
    interval: Interval | None = None
    confirmation: Interval | None = None


def judge(
    differences: Sequence[float], margins: Margins, looks: Sequence[int] = LOOKS, confirm: int = CONFIRM_PAIRS
) -> Judgement:
    """The verdict on differences in the order they were measured; the same for the same differences."""
    seen: Interval | None = None
    for look in looks:
        if len(differences) < look:
            return Judgement(None, look, seen)
        seen = interval(differences[:look], margins.delta)
        if seen.low > 1 + margins.delta:
            return _confirm(differences[look : look + confirm], margins, seen, confirm)
        if seen.high < 1 - margins.delta:
            return Judgement(Verdict.IMPROVED, look, seen)
        if seen.high < 1 + margins.margin:
            return Judgement(Verdict.PASS, look, seen)
    return Judgement(Verdict.INCONCLUSIVE, looks[-1], seen)


def interval(differences: Sequence[float], delta: float, alpha: float = ALPHA) -> Interval:
    """Ratio and bounds, each wrong with chance `alpha` at most; raises ValueError without a difference."""
    low, middle, high = hodges_lehmann(np.asarray(differences, dtype=float), 1 - 2 * alpha)
    half = max(high - middle, middle - low)
    # The bound must clear delta, and in nine of ten runs it does so from this much further away.
    reach = half * (1 + NormalDist().inv_cdf(_POWER) / NormalDist().inv_cdf(1 - alpha))
    return Interval(
        math.exp(middle),
        math.exp(low),
        math.exp(high),
        len(differences),
        math.expm1(math.log1p(delta) + reach),
    )


def noise(differences: Sequence[float], delta: float) -> str:
    """Why pairs of base with base make this host too noisy to judge on; "" if they do not."""
    _, middle, _ = hodges_lehmann(np.asarray(differences, dtype=float))
    spread = median_deviation(differences)
    if abs(middle) > math.log1p(delta):
        return f"base against itself differs by {100 * math.expm1(middle):+.1f} % (limit {100 * delta:g} %)"
    if spread > PREFLIGHT_MAD:
        limit = f"limit {100 * PREFLIGHT_MAD:g} %"
        return f"pairs of base with itself scatter by {100 * spread:.1f} % (median deviation; {limit})"
    return ""


def median_deviation(differences: Sequence[float]) -> float:
    """The median distance from the median."""
    middle = statistics.median(differences)
    return statistics.median(abs(one - middle) for one in differences)


def _confirm(fresh: Sequence[float], margins: Margins, seen: Interval, confirm: int) -> Judgement:
    wanted = seen.pairs + confirm
    if len(fresh) < confirm:
        return Judgement(None, wanted, seen)
    again = interval(fresh, margins.delta, CONFIRM_ALPHA)
    failed = again.low > 1 + margins.delta
    return Judgement(Verdict.FAIL if failed else Verdict.UNCONFIRMED, wanted, seen, again)
