"""One benchmark's history as a small chart: the ratio of its time against the line, its lookups below.

Plain SVG of lines and words, drawn here and not by matplotlib: a page has a hundred of them.
"""

from __future__ import annotations

import base64
import html
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from qcaps.errors import visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qcaps.history.levels import Segment

WIDTH, HEIGHT, STRIP = 320, 96, 30
LEFT = 40
"""Of the chart, for the numbers of its scale."""
SCALE = 5000
"""Steps of what the page knows of a level, an e-fold: 0.02 %."""
_LEAST_SPAN = 0.02
_BAND_UP_TO = 150
_TICK = 9


class Mark(NamedTuple):
    """A change to be marked at a revision, as its place in the line: how, and what is said of it."""

    at: int
    kind: str
    text: str


@dataclass(frozen=True)
class Chart:
    """The drawing, and what a reader who points at it is told: levels packed as 16-bit numbers in base 64.

    `places` are those of the levels in the line, "" where there is one for each; `lookups` are (place, value)
    where the value changes.
    """

    svg: str
    places: str
    logs: str
    errors: str
    lookups: list[tuple[int, int]]


def draw(
    segments: Sequence[Segment],
    order: dict[int, int],
    lookups: Sequence[tuple[int, int]],
    marks: Sequence[Mark],
    title: str,
) -> Chart:
    """The chart of a benchmark in a line of `len(order)` revisions; `lookups` are (place, value)."""
    line = [[(order[level.revision], level.log, 2 * level.error) for level in one.levels] for one in segments]
    flat = np.array([point for one in line for point in one], dtype=float).reshape(-1, 3)
    flat = flat[np.argsort(flat[:, 0], kind="stable")]
    return Chart(
        _svg(line, lookups, marks, title, len(order)),
        "" if np.array_equal(flat[:, 0], np.arange(len(order))) else _packed(flat[:, 0]),
        _packed(np.round(flat[:, 1] * SCALE)),
        _packed(np.round(flat[:, 2] * SCALE)),
        [
            one
            for at, one in enumerate(lookups)
            if at == 0 or at == len(lookups) - 1 or lookups[at - 1][1] != one[1]
        ],
    )


def _packed(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> str:
    low, high = (0, 65535) if len(values) and values.min() >= 0 else (-32768, 32767)
    kind = "<u2" if low == 0 else "<i2"
    packed = base64.b64encode(np.clip(values, low, high).astype(kind).tobytes()).decode()
    return f"{'u' if low == 0 else 'i'}{packed}"


def _svg(
    line: Sequence[Sequence[tuple[int, float, float]]],
    lookups: Sequence[tuple[int, int]],
    marks: Sequence[Mark],
    title: str,
    length: int,
) -> str:
    step = (WIDTH - LEFT - 4) / max(length - 1, 1)
    drawn = [(log, error if len(one) <= _BAND_UP_TO else 0.0) for one in line for _, log, error in one]
    low, high = min((log - e for log, e in drawn), default=0), max((log + e for log, e in drawn), default=0)
    middle, span = (low + high) / 2, max(high - low, _LEAST_SPAN) * 1.15
    low, high = middle - span / 2, middle + span / 2

    def x(at: float) -> str:
        return _short(LEFT + at * step)

    def y(log: float) -> str:
        return _short(4 + (high - log) / span * (HEIGHT - 8))

    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT + STRIP}" role="img" tabindex="0"><title>{_text(title)}</title>'
    ]
    parts += _scale(low, high, y)
    for mark in marks:
        parts.append(
            f'<path class="mark {mark.kind}" d="M{x(mark.at - 0.5)} 2V{HEIGHT + STRIP}">'
            f"<title>{_text(mark.text)}</title></path>"
        )
    for one in line:
        if len(one) <= _BAND_UP_TO:
            upper = [f"{x(at)} {y(log + error)}" for at, log, error in one]
            lower = [f"{x(at)} {y(log - error)}" for at, log, error in reversed(one)]
            parts.append(f'<path class="band" d="M{"L".join((*upper, *lower))}Z"/>')
        points = [f"{x(at)} {y(log)}" for at, log in _thinned([(at, log) for at, log, _ in one], step)]
        parts.append(f'<path class="line" d="M{"L".join(points)}"/>')
        if len(one) <= _BAND_UP_TO:
            # a line of no length with round ends is a dot
            parts.append(f'<path class="dots" d="{"".join(f"M{point}h0" for point in points)}"/>')
    parts += _strip(lookups, x, length)
    parts.append(f'<path class="cursor" d="M0 2V{HEIGHT + STRIP}"/></svg>')
    return "".join(parts)


def _scale(low: float, high: float, y: object) -> list[str]:
    """Lines at round percentages, two to four of them, and their words."""
    assert callable(y)
    bottom, top = math.expm1(low), math.expm1(high)
    wanted = (top - bottom) / 3
    size = 10 ** math.floor(math.log10(wanted))
    size *= next(one for one in (1, 2, 5, 10) if one * size >= wanted)
    ticks = np.arange(math.ceil(bottom / size), math.floor(top / size) + 1) * size
    parts = []
    for tick in ticks:
        at = y(math.log1p(float(tick)))
        if float(at) < _TICK:  # its words would be cut
            continue
        name = "zero" if abs(tick) < size / 2 else "grid"
        words = f"{100 * tick:+.{0 if size >= 0.01 else 1}f} %" if name == "grid" else "0 %"  # noqa: PLR2004  # 1 %
        parts.append(f'<path class="{name}" d="M{LEFT} {at}H{WIDTH}"/>')
        parts.append(f'<text x="{LEFT - 4}" y="{float(at) + 3:.1f}" class="tick">{words}</text>')
    return parts


def _strip(lookups: Sequence[tuple[int, int]], x: object, length: int) -> list[str]:
    """Lookups as steps below the times, the first and the last value in words."""
    assert callable(x)
    if not lookups:
        return []
    values = [value for _, value in lookups]
    low, high = min(values), max(values)

    def y(value: int) -> str:
        share = (value - low) / (high - low) if high > low else 0.5
        return _short(HEIGHT + STRIP - 5 - share * (STRIP - 12))

    path, last = f"M{x(lookups[0][0])} {y(values[0])}", values[0]
    for at, value in lookups[1:]:
        if value != last:
            path += f"H{x(at - 0.5)}V{y(value)}"
            last = value
    path += f"H{x(max(lookups[-1][0], min(1, length - 1)))}"
    words = f"{low}" if low == high else f"{low} to {high}"
    return [
        f'<text x="{LEFT - 4}" y="{HEIGHT + STRIP // 2 + 3}" class="tick">{words}</text>',
        f'<path class="lookups" d="{path}"/>',
    ]


def _thinned(points: Sequence[tuple[int, float]], step: float) -> list[tuple[int, float]]:
    """Of points that would lie on one spot, the lowest and the highest, in their order."""
    if step >= 1:
        return list(points)
    found: list[tuple[int, float]] = []
    column: list[tuple[int, float]] = []
    for point in points:
        if column and int(column[0][0] * step) != int(point[0] * step):
            found += sorted({min(column, key=_value), max(column, key=_value)})
            column = []
        column.append(point)
    return found + sorted({min(column, key=_value), max(column, key=_value)}) if column else found


def _value(point: tuple[int, float]) -> float:
    return point[1]


def _short(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def _text(words: str) -> str:
    return html.escape(visible(words))
