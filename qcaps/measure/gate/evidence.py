"""Evidence that differences lie above a limit, valid at whatever pair one stops: an e-process.

The null hypothesis: each difference is symmetric about some value at or below the limit, whatever came
before. A difference y above the limit is worth a factor 2 / (1 + exp(-2 a y)), one below it the less: given
its size, the chances of its sign are as in a normal shift. Were y symmetric about the limit, the factors of
+y and -y would average 1, whatever a and whatever the sizes; it grows with y, so that a y symmetric about
less has a mean below 1. The product over pairs, averaged over several `a`, is then a supermartingale that
begins at 1, and the chance that it ever exceeds 1 / alpha is at most alpha (Ville's inequality). On symmetric
nulls: Ramdas, Ruf, Larsson and Koolen, "Admissible anytime-valid sequential inference must rely on
nonnegative martingales" (2020); Vovk and Wang, "Efficiency of nonparametric e-tests" (2022).

Differences are measured in scales and cut off at two of them, so that a wild pair neither decides nor spoils.
Both are allowed: a cut is odd and grows, and the scale of a pair is taken from the pairs before it. Hosts
scatter differently, so that each has a scale of its own; nothing else here asks which host a pair is from,
for the null is about each pair given those before it, in whatever order hosts take turns.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_SHARPNESS = np.array([[0.5], [1.0], [2.0]])
"""The `a` of the factors, in 1 / scale: for shifts of a half, one and two scales."""
_CUT = 2.0
_FIRST_SCALE = 0.02
"""Of the first pairs, before there are enough to tell: what equal pairs scatter by on a shared machine."""
_ENOUGH = 5
_LEAST_SCALE = 0.002
_SIGMAS = 1.4826  # a normal distribution's standard deviation, in median deviations
_WIDEST = 1.0  # ln: no bound is looked for beyond a factor of e


def evidence(differences: Sequence[float], limit: float, hosts: Sequence[str] = ()) -> NDArray[np.float64]:
    """The logarithm of the evidence after each pair that differences lie above `limit`.

    `hosts` has the host of each pair; without any they are all of one.
    """
    values = np.asarray(differences, dtype=float)
    shares = np.clip((values - limit) / _scales(values, hosts), -_CUT, _CUT)
    factors = math.log(2) - np.logaddexp(0, -2 * _SHARPNESS * shares)
    return _mean_of_logs(np.cumsum(factors, axis=1))


def first_beyond(
    differences: Sequence[float], limit: float, threshold: float, hosts: Sequence[str] = ()
) -> int | None:
    """After how many pairs the evidence first exceeded `threshold`; None if it never did."""
    (found,) = np.nonzero(evidence(differences, limit, hosts) > threshold)
    return int(found[0]) + 1 if len(found) else None


def lower_bound(differences: Sequence[float], threshold: float, hosts: Sequence[str] = ()) -> float:
    """What differences lie above, by evidence of `threshold`: wrong with chance e^-threshold at most."""
    low, high = -_WIDEST, _WIDEST
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (middle, high) if evidence(differences, middle, hosts)[-1] > threshold else (low, middle)
    return low


def _scales(values: NDArray[np.float64], hosts: Sequence[str]) -> NDArray[np.float64]:
    """How far pairs of each pair's host scatter, from earlier ones alone; while a host has few, from all."""
    scales = _scales_in_turn(values)
    for host in dict.fromkeys(hosts):
        own = np.flatnonzero(np.array(hosts) == host)
        scales[own[_ENOUGH:]] = _scales_in_turn(values[own])[_ENOUGH:]
    return scales


def _scales_in_turn(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """For each pair from earlier ones; found anew after 5, 8, 16, 32 … pairs."""
    scales = np.full(len(values), _FIRST_SCALE)
    number = _ENOUGH
    while number < len(values):
        before = values[:number]
        scales[number:] = max(_SIGMAS * float(np.median(abs(before - np.median(before)))), _LEAST_SCALE)
        number = 1 << number.bit_length()
    return scales


def _mean_of_logs(logs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ln of the mean over rows of what the logarithms stand for."""
    most = logs.max(axis=0)
    found: NDArray[np.float64] = most + np.log(np.exp(logs - most).mean(axis=0))
    return found
