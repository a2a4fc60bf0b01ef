"""Where a series of levels seems to change: suspects, for a gate to settle.

The search is `ruptures`' (KernelCPD with a linear kernel: the mean changes, found by PELT). What a change
must be worth is calibrated by `bench/studies/history_penalty.py`: one in a hundred unchanged series has one.
"""

from __future__ import annotations

import importlib.util
import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from qcaps.errors import QcapsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from qcaps.history.levels import Level

LEAST = 2
"""Revisions between two changes: one alone is no level."""
PENALTY = (7.0, 2.0, 200.0)
"""In variances of a level: the first, ln n of the second, 1 / n of the third (few tell little of noise)."""
_FARTHEST = 3.0
_NEIGHBOURS = 2
_SIGMAS = 1.4826
_LEAST_NOISE = 2e-4


@dataclass(frozen=True)
class Suspect:
    """A change of `log` seen between levels `at - 1` and `at` of a segment; `error` is its standard error."""

    at: int
    log: float
    error: float


def suspects(levels: Sequence[Level], breaks: Iterable[int] = (), layout: float = 0.0) -> list[Suspect]:
    """Changes of one segment. `breaks` are known ones, by a count: what lies between two of them is searched.

    A known change is none of the suspects. `layout` is what levels scatter by at least, since each build is
    laid out otherwise. Raises QcapsError where ruptures is not installed.
    """
    logs = np.array([level.log for level in levels])
    own = float(np.median([level.own_error for level in levels] or [0]))
    scatter = max(noise(logs), math.hypot(layout, 0.7 * own), _LEAST_NOISE)
    known = sorted({0, len(logs), *(one for one in breaks if 0 < one < len(logs))})
    found = []
    for first, last in pairwise(known):
        inner = [first + one for one in points(logs[first:last], scatter)]
        found += [step(levels, at, [*known, *inner], scatter) for at in inner]
    return found


def step(levels: Sequence[Level], at: int, bounds: Iterable[int], scatter: float = 0.0) -> Suspect:
    """How much the level changes at `at`, from what lies between it and the nearest other bounds."""
    logs = np.array([level.log for level in levels])
    bounds = [0, len(logs), *bounds]
    before = logs[max(one for one in bounds if one < at) : at]
    after = logs[at : min(one for one in bounds if one > at)]
    scatter = max(scatter, float(np.median([level.own_error for level in levels])), _LEAST_NOISE)
    return Suspect(
        at,
        float(np.median(after) - np.median(before)),
        scatter * math.sqrt(1 / len(before) + 1 / len(after)),
    )


def points(logs: NDArray[np.float64], scatter: float) -> list[int]:
    """Where the mean changes, when levels scatter by so much."""
    if len(logs) < 2 * LEAST:
        return []
    count = len(logs)
    penalty = PENALTY[0] + PENALTY[1] * math.log(count) + PENALTY[2] / count
    return _searched(tamed(logs, scatter) / scatter, penalty)


def tamed(logs: NDArray[np.float64], scatter: float) -> NDArray[np.float64]:
    """Levels no farther from their neighbours' median than three scatters: one wild one is no change."""
    padded = np.pad(logs, _NEIGHBOURS, mode="reflect")
    middles = np.median(np.lib.stride_tricks.sliding_window_view(padded, 2 * _NEIGHBOURS + 1), axis=1)
    limit = _FARTHEST * scatter
    return np.asarray(np.clip(logs, middles - limit, middles + limit), dtype=float)


def worth(logs: NDArray[np.float64], scatter: float) -> float:
    """The most that one change of the mean explains, in variances."""
    values = tamed(logs, scatter) / scatter
    sums, count = np.cumsum(values), len(values)
    sizes = np.arange(LEAST, count - LEAST + 1)
    before = sums[sizes - 1] / sizes
    after = (sums[-1] - sums[sizes - 1]) / (count - sizes)
    return float(np.max((before - after) ** 2 * sizes * (count - sizes) / count))


def noise(logs: NDArray[np.float64]) -> float:
    """The standard deviation of levels that do not change, or only in few places: from neighbours."""
    if len(logs) < 2 * LEAST:
        return 0.0
    return float(_SIGMAS * np.median(abs(np.diff(logs))) / math.sqrt(2))


def check_installed() -> None:
    """Raise QcapsError where ruptures is not installed: before an hour's measuring, not after it."""
    if importlib.util.find_spec("ruptures") is None:
        raise QcapsError("change points need ruptures: pip install 'qcaps[history]'")


def _searched(values: NDArray[np.float64], penalty: float) -> list[int]:
    check_installed()
    import ruptures  # scipy: 0.5 s that only this search pays

    search = ruptures.KernelCPD(kernel="linear", min_size=LEAST).fit(values[:, None])
    return [int(one) for one in search.predict(pen=penalty)[:-1]]
