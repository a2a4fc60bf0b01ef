"""What a gate judges: each benchmark's time, and slope and intercept of each family that grows in n."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from qcaps.measure.cell import Cell

SLOPE, INTERCEPT = "slope", "intercept"
_FEWEST_POINTS = 3


class Pair(NamedTuple):
    """One pair, in seconds: base's block value, and head's as their turns relate them.

    `number` is the round's in its gate, `host` where both sides were measured.
    """

    base: float
    head: float
    host: str = ""
    number: int = 0


@dataclass(frozen=True)
class Series:
    """Something judged by one sequence of differences: `difference` makes one of a pair of each cell."""

    name: str
    cells: tuple[Cell, ...]
    difference: Callable[[Sequence[Pair]], float]

    def differences(self, pairs: Mapping[Cell, Sequence[Pair]]) -> list[float]:
        """One difference for each pair of every cell, all from one host, in the order they became whole."""
        return [self.difference(row) for row in self._rows(pairs)]

    def hosts(self, pairs: Mapping[Cell, Sequence[Pair]]) -> list[str]:
        """The host of each difference."""
        return [row[0].host for row in self._rows(pairs)]

    def _rows(self, pairs: Mapping[Cell, Sequence[Pair]]) -> list[tuple[Pair, ...]]:
        columns = [pairs.get(cell, ()) for cell in self.cells]
        rows = [
            row
            for host in dict.fromkeys(pair.host for pair in columns[0])
            for row in zip(
                *([pair for pair in column if pair.host == host] for column in columns), strict=False
            )
        ]
        # What comes later comes last, so that no difference changes its place.
        return sorted(rows, key=lambda row: max(pair.number for pair in row))


def all_series(devices: Mapping[Cell, int], unlike: Collection[Cell] = ()) -> tuple[Series, ...]:
    """The series of cells whose results have as many devices as given.

    `unlike` are cells that look up otherwise in head than in base: no line goes through these. What a lookup
    takes is no straight line in how many there are, so that a build which saves most of them would seem to
    have a larger constant part.
    """
    points = tuple(point(cell) for cell in devices)
    families = [family for family in _families(devices) if not any(cell in unlike for cell in family)]
    return (*points, *(one for family in families for one in _line(family, devices)))


def point(cell: Cell) -> Series:
    """The time of one cell."""
    return Series(cell.name, (cell,), _log_ratio)


def _families(cells: Iterable[Cell]) -> list[tuple[Cell, ...]]:
    """Cells that differ in n only, where there are enough for a line."""
    found: dict[Cell, list[Cell]] = {}
    for cell in cells:
        found.setdefault(replace(cell, n=0), []).append(cell)
    return [tuple(cells) for cells in found.values() if len(cells) >= _FEWEST_POINTS]


def _line(cells: tuple[Cell, ...], devices: Mapping[Cell, int]) -> tuple[Series, Series]:
    xs = np.array([devices[cell] for cell in cells], dtype=float)
    one = cells[0]
    family = f"{one.scenario} {one.task} {one.validity} {one.policy}"

    def lines(pairs: Sequence[Pair]) -> tuple[tuple[float, float], tuple[float, float]]:
        base, head = (np.array([getattr(pair, side) for pair in pairs]) for side in ("base", "head"))
        # Noise is in proportion to the time, so each point weighs by its own; the same weights on both sides.
        (b1, b0), (h1, h0) = (np.polyfit(xs, side, 1, w=1 / base) for side in (base, head))
        return (float(b0), float(b1)), (float(h0), float(h1))

    def slope(pairs: Sequence[Pair]) -> float:
        (_, base), (_, head) = lines(pairs)
        # Blocks so disturbed that time falls as devices grow say nothing finite: a far end, no error.
        return math.log(head / base) if base > 0 and head > 0 else math.copysign(1.0, head - base)

    def intercept(pairs: Sequence[Pair]) -> float:
        """What the constant part grew by, as a share of the smallest domain's time: it may be near 0."""
        (base, _), (head, _) = lines(pairs)
        return math.log1p(max((head - base) / min(pair.base for pair in pairs), -0.9))

    return Series(f"{family} {SLOPE}", cells, slope), Series(f"{family} {INTERCEPT}", cells, intercept)


def _log_ratio(pairs: Sequence[Pair]) -> float:
    (pair,) = pairs
    return math.log(pair.head / pair.base)
