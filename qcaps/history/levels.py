"""Where each revision lies: ln of its time over the first anchor's, chained from anchor to anchor.

Pairs of a revision with an anchor say how far apart the two are, and how surely. Revisions that were
measured against two anchors say how far apart those are. Offsets of anchors are the weighted least squares
of all that; a revision's level is the weighted mean over its anchors, its error that of its own pairs and
of the chain.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from qcaps.history.plan import OVERLAP

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

_SIGMAS = 1.4826  # a normal distribution's standard deviation, in median deviations
_MEDIAN_COSTS = (
    1.05  # the variance of Hodges and Lehmann's estimate, over that of the mean, where all is normal
)
_POOLED_PAIRS = 8
"""A revision's own pairs are few to tell their scatter: what all of a benchmark scatter by counts as many."""
_LEAST_SCATTER = 1e-4
KEY = "(environment << 48) + (base << 24) + head"
"""In SQL: what was compared in one number, which costs half of what three do to fetch."""
_REVISION = (1 << 24) - 1
_MANY = 512


class Edge(NamedTuple):
    """A revision beside a base: ln of their ratio, and the variance of that."""

    base: int
    head: int
    difference: float
    variance: float
    pairs: int


@dataclass(frozen=True)
class Level:
    """A revision's place: `log` is ln of its time over the first anchor's, `error` its standard error.

    `own_error` leaves out what a chain of anchors adds, which neighbours have in common.
    """

    revision: int
    log: float
    error: float
    own_error: float
    pairs: int
    environment: int


@dataclass(frozen=True)
class Segment:
    """Levels that may be held against each other, in the order of the line."""

    levels: tuple[Level, ...]
    environments: tuple[int, ...]


def edges(rows: Sequence[tuple[int, float]]) -> dict[int, list[Edge]]:
    """The edges of one benchmark by environment, of rows (KEY of what was compared, ratio) in its order."""
    if not rows:
        return {}
    keys = np.fromiter((key for key, _ in rows), dtype=np.int64, count=len(rows))
    logs = np.log(np.fromiter((ratio for _, ratio in rows), dtype=float, count=len(rows)))
    starts = np.concatenate(([0], np.flatnonzero(np.diff(keys)) + 1))
    counts = np.diff(np.append(starts, len(rows)))
    # an environment, a base and a head, as `key` puts them together
    groups = np.stack(
        [keys[starts] >> 48, (keys[starts] >> 24) & _REVISION, keys[starts] & _REVISION], axis=1
    )
    middles, scatters = np.empty(len(groups)), np.empty(len(groups))
    for size in np.unique(counts):
        (own,) = np.nonzero(counts == size)
        block = logs[starts[own, None] + np.arange(size)]
        middles[own], scatters[own] = _middles(block), _scatters(block)
    found: dict[int, list[Edge]] = {}
    for environment in np.unique(groups[:, 0]):
        (own,) = np.nonzero(groups[:, 0] == environment)
        several = own[counts[own] > 1]
        pooled = float(np.median(scatters[several])) if len(several) else 0.02
        for at in own:
            count = int(counts[at])
            square = (_POOLED_PAIRS * pooled**2 + (count - 1) * scatters[at] ** 2) / (
                _POOLED_PAIRS + count - 1
            )
            variance = _MEDIAN_COSTS * max(square, _LEAST_SCATTER**2) / count
            found.setdefault(int(environment), []).append(
                Edge(int(groups[at, 1]), int(groups[at, 2]), float(middles[at]), float(variance), count)
            )
    return found


def _middles(block: NDArray[np.float64]) -> NDArray[np.float64]:
    """Hodges and Lehmann's estimate of each row."""
    one, other = np.triu_indices(block.shape[1])
    if block.shape[1] > _MANY:  # a settled change has many pairs: their median will do
        return np.asarray(np.median(block, axis=1), dtype=float)
    return np.asarray(np.median((block[:, one] + block[:, other]) / 2, axis=1), dtype=float)


def _scatters(block: NDArray[np.float64]) -> NDArray[np.float64]:
    middle = np.median(block, axis=1, keepdims=True)
    return np.asarray(_SIGMAS * np.median(abs(block - middle), axis=1), dtype=float)


def chained(found: Sequence[Edge], anchors: Sequence[int], environment: int = 0) -> list[dict[int, Level]]:
    """Levels by revision, in as many parts as are not chained to each other; `anchors` in the line's order.

    The first anchor of a part is its 0.
    """
    used = [anchor for anchor in anchors if any(anchor in (edge.base, edge.head) for edge in found)]
    place = {anchor: at for at, anchor in enumerate(used)}
    of_head: dict[int, list[Edge]] = {}
    links: list[tuple[int, int, float, float]] = []
    for edge in found:
        if edge.base not in place:
            continue
        if edge.head in place:
            links.append((place[edge.base], place[edge.head], edge.difference, 1 / edge.variance))
        else:
            of_head.setdefault(edge.head, []).append(edge)
    for some in of_head.values():
        total = sum(1 / edge.variance for edge in some)
        for at, one in enumerate(some):
            links += [
                # base + difference is the same revision, seen from both
                (
                    place[one.base],
                    place[other.base],
                    one.difference - other.difference,
                    1 / (one.variance * other.variance * total),
                )
                for other in some[at + 1 :]
            ]
    parts = []
    pairs = {anchor: sum(e.pairs for e in found if e.head == anchor) for anchor in used}
    for part in _parts(len(used), links):
        offsets, covariance = _solved(part, links)
        row = {at: number for number, at in enumerate(part)}
        levels = {
            used[at]: Level(
                used[at],
                offsets[number],
                math.sqrt(max(covariance[number][number], 0.0)),
                math.sqrt(max(covariance[number][number], 0.0)),
                pairs[used[at]],
                environment,
            )
            for at, number in row.items()
        }
        for head, some in of_head.items():
            own = [edge for edge in some if place[edge.base] in row]
            if own:
                rows = [row[place[edge.base]] for edge in own]
                levels[head] = _level(own, rows, offsets, covariance, environment)
        parts.append(levels)
    return parts


def _level(
    own: Sequence[Edge],
    rows: Sequence[int],
    offsets: Sequence[float],
    covariance: Sequence[Sequence[float]],
    environment: int,
) -> Level:
    weights = [1 / edge.variance for edge in own]
    alone = 1 / sum(weights)
    log = alone * sum(
        weight * (offsets[row] + edge.difference)
        for weight, row, edge in zip(weights, rows, own, strict=True)
    )
    chain = alone**2 * sum(
        one * other * covariance[row][column]
        for one, row in zip(weights, rows, strict=True)
        for other, column in zip(weights, rows, strict=True)
    )
    head = own[0].head
    return Level(
        head, log, math.sqrt(alone + max(chain, 0)), math.sqrt(alone), sum(e.pairs for e in own), environment
    )


def _parts(count: int, links: Iterable[tuple[int, int, float, float]]) -> list[list[int]]:
    """Anchors that are linked with each other, however indirectly."""
    part = list(range(count))

    def root(at: int) -> int:
        while part[at] != at:
            at = part[at]
        return at

    for one, other, _, _ in links:
        low, high = sorted((root(one), root(other)))
        part[high] = low
    found: dict[int, list[int]] = {}
    for at in range(count):
        found.setdefault(root(at), []).append(at)
    return list(found.values())


def _solved(
    part: Sequence[int], links: Iterable[tuple[int, int, float, float]]
) -> tuple[list[float], list[list[float]]]:
    """Offsets of a part's anchors from its first, and their covariance."""
    row = {at: number for number, at in enumerate(part)}
    matrix, right = np.zeros((len(part), len(part))), np.zeros(len(part))
    for one, other, difference, weight in links:
        if one not in row:
            continue
        a, b = row[one], row[other]
        matrix[a, a] += weight
        matrix[b, b] += weight
        matrix[a, b] -= weight
        matrix[b, a] -= weight
        right[b] += weight * difference
        right[a] -= weight * difference
    covariance = np.zeros_like(matrix)
    if len(part) > 1:
        covariance[1:, 1:] = np.linalg.inv(matrix[1:, 1:])
    return (covariance @ right).tolist(), covariance.tolist()


def segments(parts: Iterable[Mapping[int, Level]], order: Mapping[int, int]) -> list[Segment]:
    """Parts brought together where they have OVERLAP revisions in common; `order` is a revision's place.

    Another machine has another ratio for the same two revisions: what the common ones differ by on average is
    taken off, and its error kept. Without enough of them a part is a segment of its own.
    """
    joined: list[dict[int, Level]] = []
    for part in sorted(parts, key=lambda one: min(order[number] for number in one)):
        for whole in joined:
            common = [number for number in part if number in whole and part[number].pairs]
            if len(common) >= OVERLAP:
                _join(whole, part, common)
                break
        else:
            joined.append(dict(part))
    return [
        Segment(
            tuple(sorted(whole.values(), key=lambda level: order[level.revision])),
            tuple(dict.fromkeys(level.environment for level in whole.values())),
        )
        for whole in joined
    ]


def _join(whole: dict[int, Level], part: Mapping[int, Level], common: Sequence[int]) -> None:
    variances = np.array([whole[n].own_error ** 2 + part[n].own_error ** 2 for n in common])
    apart = np.array([whole[n].log - part[n].log for n in common])
    weights = 1 / np.maximum(variances, _LEAST_SCATTER**2)
    offset = float(weights @ apart / weights.sum())
    # How much they really differ by, beside what their own errors say.
    spread = float(np.std(apart, ddof=1)) / math.sqrt(len(common))
    error = max(1 / math.sqrt(float(weights.sum())), spread)
    for number, level in part.items():
        if number not in whole:
            whole[number] = Level(
                number,
                level.log + offset,
                math.hypot(level.error, error),
                level.own_error,
                level.pairs,
                level.environment,
            )
