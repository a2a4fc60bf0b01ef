"""The sequential verdict on paired differences: a pure function of the differences there are so far.

A difference is ln(head / base) of one pair. After each pair the evidence is asked (`evidence`, valid at
whatever pair one stops), and at 8, 10, 12, 14, 16, 20, 24, 32, 48, 64, 96 and 128 pairs the Hodges-Lehmann
interval at one-sided alpha .01:

    FAIL          the evidence that the differences lie above ln(1 + delta) exceeds series / .005
    IMPROVED      the same below ln(1 - delta)
    PASS          the interval's upper bound is below ln(1 + margin); while all of it is beyond delta on one
                  side, or that of one host's own pairs, more are taken, until the evidence decides or the
                  interval no longer is
    INCONCLUSIVE  none of these at the last look
    APART         not judged: the two sides were measured at different times

`series` is how many a run judges: by the union bound a run of equal versions is wrong with chance .01 at
most, .005 for FAIL and as much for IMPROVED. Pairs of base with base come before all others; a host on which
they differ is NOISY HOST.
"""

from __future__ import annotations

import enum
import math
import statistics
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from qcaps.measure.gate.evidence import first_beyond, lower_bound
from qcaps.measure.statistics import hodges_lehmann

if TYPE_CHECKING:
    from collections.abc import Sequence

LOOKS = (8, 10, 12, 14, 16, 20, 24, 32, 48, 64, 96, 128)
PASS_ALPHA = 0.01
ALPHA = 0.005
PREFLIGHT_PAIRS = (16, 32, 48)
PREFLIGHT_ALPHA = 0.001
PREFLIGHT_MAD = 0.06
RULES = (
    f"evidence against {ALPHA} a run and side; PASS at {LOOKS}, alpha {PASS_ALPHA}; roles drawn for each"
    " pair; calls settled; one layout a pair"
)
"""Verdicts made by others are not to be mixed with these."""
_POWER = 0.9


class Verdict(enum.StrEnum):
    """What a gate says of one series."""

    PASS = "PASS"  # noqa: S105  # no password
    FAIL = "FAIL"
    IMPROVED = "IMPROVED"
    INCONCLUSIVE = "INCONCLUSIVE"
    APART = "APART"
    NOISY_HOST = "NOISY HOST"


@dataclass(frozen=True)
class Margins:
    """Shares of the base: a regression is more than `delta`; what is surely less than `margin` passes."""

    delta: float = 0.01
    margin: float = 0.03


class Lies(enum.StrEnum):
    """Where an interval of head / base lies, margins taken into account."""

    SLOWER = "slower"
    FASTER = "faster"
    SAME = "no different"
    OPEN = "undecided"


def lies(low: float, high: float, margins: Margins) -> Lies:
    """All beyond delta on one side, or all within margin of 1; open where it is neither."""
    if low > 1 + margins.delta:
        return Lies.SLOWER
    if high < 1 - margins.delta:
        return Lies.FASTER
    return Lies.SAME if low > 1 - margins.margin and high < 1 + margins.margin else Lies.OPEN


@dataclass(frozen=True)
class Interval:
    """The ratio head / base with its interval, from `pairs` pairs; `rule` says whose bounds these are.

    `detectable` is the smallest slowdown, as a share, that as many pairs this noisy find in nine of ten runs.
    """

    ratio: float
    low: float
    high: float
    pairs: int
    detectable: float
    rule: str


@dataclass(frozen=True)
class Judgement:
    """A verdict, or None and how many pairs are `wanted` before the next look."""

    verdict: Verdict | None
    wanted: int
    interval: Interval | None = None


def judge(
    differences: Sequence[float], margins: Margins, series: int = 1, hosts: Sequence[str] = ()
) -> Judgement:
    """The verdict on differences in the order they were asked for; the same for the same differences.

    `hosts` has the host of each; without any they are all of one. A host is a block: what it scatters is its
    own, and there is no PASS on all while one is beyond delta by itself.
    """
    threshold = math.log(series / ALPHA)
    slower = _beyond(differences, math.log1p(margins.delta), threshold, hosts)
    # Nothing is faster by all of its time.
    limit = -math.log1p(-margins.delta) if margins.delta < 1 else math.inf
    faster = _beyond([-one for one in differences], limit, threshold, hosts)
    beyond = min(slower, faster)
    seen: Interval | None = None
    for look in LOOKS:
        if beyond <= look:
            verdict = Verdict.FAIL if slower <= faster else Verdict.IMPROVED
            bounds = always_valid(differences[:beyond], margins.delta, threshold, hosts[:beyond])
            return Judgement(verdict, beyond, bounds)
        if len(differences) < look:
            return Judgement(None, look, seen)
        seen = interval(differences[:look], margins.delta)
        suspected = _beyond_delta(seen, margins) or bool(set_apart(differences[:look], hosts[:look], margins))
        if seen.high < 1 + margins.margin and not suspected:
            return Judgement(Verdict.PASS, look, seen)
    assert seen is not None, "there are looks"
    apart = set_apart(differences[: LOOKS[-1]], hosts[: LOOKS[-1]], margins)
    last = Verdict.PASS if seen.high < 1 + margins.margin and not apart else Verdict.INCONCLUSIVE
    return Judgement(last, LOOKS[-1], seen)


def set_apart(
    differences: Sequence[float], hosts: Sequence[str], margins: Margins
) -> dict[str, tuple[float, int]]:
    """Hosts among several whose own pairs are all beyond delta: ratio and pairs of each."""
    found: dict[str, tuple[float, int]] = {}
    names = dict.fromkeys(hosts)
    for host in names if len(names) > 1 else ():
        own = [one for one, of in zip(differences, hosts, strict=True) if of == host]
        if len(own) < LOOKS[0]:
            continue
        seen = interval(own, margins.delta)
        if _beyond_delta(seen, margins):
            found[host] = (seen.ratio, seen.pairs)
    return found


def interval(differences: Sequence[float], delta: float, alpha: float = PASS_ALPHA) -> Interval:
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
        f"Hodges-Lehmann, {1 - 2 * alpha:.0%}",
    )


def always_valid(
    differences: Sequence[float], delta: float, threshold: float, hosts: Sequence[str] = ()
) -> Interval:
    """Ratio and the bounds the evidence sets; both hold at whatever pair one stops."""
    plain = interval(differences, delta)
    low = math.exp(lower_bound(differences, threshold, hosts))
    high = math.exp(-lower_bound([-one for one in differences], threshold, hosts))
    return replace(
        plain,
        low=low,
        high=high,
        detectable=math.expm1(math.log1p(delta) + math.log(high / low) / 2),
        rule=f"always valid, {1 - 2 * math.exp(-threshold):.2%}",
    )


def noise(differences: Sequence[float], delta: float) -> str:
    """Why pairs of base with base make this host too noisy to judge on; "" if they do not.

    They must be shown to differ by more than `delta`, or scatter, at the last of PREFLIGHT_PAIRS; before that
    a doubt only asks for more of them (`doubtful`).
    """
    spread = median_deviation(differences)
    found = interval(differences, delta, PREFLIGHT_ALPHA)
    if lies(found.low, found.high, Margins(delta, delta)) in (Lies.SLOWER, Lies.FASTER):
        return f"base against itself differs by {100 * (found.ratio - 1):+.1f} % (limit {100 * delta:g} %)"
    if spread > PREFLIGHT_MAD:
        limit = f"limit {100 * PREFLIGHT_MAD:g} %"
        return f"pairs of base with itself scatter by {100 * spread:.1f} % (median deviation; {limit})"
    return ""


def doubtful(differences: Sequence[float], delta: float) -> bool:
    """Whether more pairs of base with itself are called for."""
    _, middle, _ = hodges_lehmann(np.asarray(differences, dtype=float))
    return abs(middle) > math.log1p(delta) or median_deviation(differences) > PREFLIGHT_MAD


def median_deviation(differences: Sequence[float]) -> float:
    """The median distance from the median."""
    middle = statistics.median(differences)
    return statistics.median(abs(one - middle) for one in differences)


def _beyond_delta(seen: Interval, margins: Margins) -> bool:
    return lies(seen.low, seen.high, margins) in (Lies.SLOWER, Lies.FASTER)


def _beyond(differences: Sequence[float], limit: float, threshold: float, hosts: Sequence[str]) -> int:
    """After how many pairs there was evidence; more than any look where there was none."""
    found = first_beyond(differences, limit, threshold, hosts) if differences else None
    return LOOKS[-1] + 1 if found is None else found
