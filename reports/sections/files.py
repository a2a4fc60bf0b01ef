"""Several results files: side by side, or a history when they come from several commits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from matplotlib.lines import Line2D

from qcaps.measure.subject import REFERENCE
from qcaps.report.section import Content, Table
from qcaps.report.summary import speedups

from ._drawing import (
    BLUE,
    GREEN,
    ORANGE,
    PINK,
    SKY,
    VERMILION,
    Spacing,
    hover,
    is_narrow,
    legend,
    log_axis,
    panels,
)
from ._words import paired, times, too_few

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from qcaps.report.sources import Sources
    from qcaps.report.summary import MeasuredSpeedup


ORDER = 14
HEADING = "The files side by side"
MISSING = ""
_MOST_LINES = 6
_COLOURS = (GREEN, BLUE, VERMILION, PINK, ORANGE, SKY)
_MARKERS = "Dso^vP"
_PREFERRED = ("once", "series")


@dataclass(frozen=True)
class FilesSeries:
    """One comparison in each file that has it: (number of the file, speedup)."""

    name: str
    points: tuple[tuple[int, MeasuredSpeedup], ...]

    @property
    def is_sure(self) -> bool:
        """Whether the first and the last interval have nothing in common, both from pairs enough."""
        first, last = self.points[0][1], self.points[-1][1]
        return not (too_few(first) or too_few(last)) and (last.low > first.high or last.high < first.low)

    @property
    def change(self) -> float:
        """The last ratio over the first."""
        return self.points[-1][1].ratio / self.points[0][1].ratio


@dataclass(frozen=True)
class Side:
    """Files by label, oldest first; what at least two of them measured. A history if each has its commit."""

    labels: tuple[str, ...]
    is_history: bool
    series: tuple[FilesSeries, ...]
    shown: tuple[FilesSeries, ...]


def data(sources: Sources) -> Side | None:
    """The comparisons that at least two files have."""
    found: dict[str, list[tuple[int, MeasuredSpeedup]]] = {}
    for number, file in enumerate(sources.files):
        for one in speedups(file.results):
            on = "" if one.subject == REFERENCE else f"{one.subject} "
            name = f"{on}{one.scenario}/{one.n} {one.task} {one.validity} {one.policy}"
            found.setdefault(name, []).append((number, one))
    series = tuple(
        FilesSeries(name, tuple(points))
        for name, points in found.items()
        if len({at for at, _ in points}) > 1
    )
    if not series:
        return None
    own = [one for one in series if one.points[0][1].policy in _PREFERRED[:1]] or list(series)
    commits = [file.commit for file in sources.files]
    return Side(
        tuple(file.label for file in sources.files),
        all(commits) and len(set(commits)) == len(commits),
        series,
        tuple(sorted(own, key=lambda one: -abs(one.points[-1][1].devices))[:_MOST_LINES]),
    )


def content(value: Side) -> Content:
    """What changed most from the first file to the last."""
    moved = max(value.series, key=lambda one: (one.is_sure, max(one.change, 1 / one.change)))
    first, last = moved.points[0][1], moved.points[-1][1]
    kind = f"Over {len(value.labels)} commits" if value.is_history else f"Across {len(value.labels)} files"
    finding = (
        f"{kind}, {moved.name} moved most: {times(first.ratio)} to {times(last.ratio)} times as fast as"
        f" '{first.baseline}' ({'beyond' if moved.is_sure else 'within'} what the 95 % intervals allow)"
    )
    rows = tuple(
        (one.name, *(_cell(one, number) for number in range(len(value.labels)))) for one in value.series
    )
    return Content(
        finding + ".",
        description="; ".join(
            f"{one.name}: " + ", ".join(times(point.ratio) for _, point in one.points) for one in value.shown
        ),
        notes=(
            (
                "Each ratio was measured within its file, so it can be compared with that of another;"
                " absolute times of different times cannot. The other sections show each comparison from"
                " the newest file that has it."
            ),
        ),
        tables=(Table("Times as fast, by file", ("comparison", *value.labels), rows, left=("comparison",)),),
    )


def draw(value: Side, figure: Figure) -> None:
    """A line a comparison, the files from left to right."""
    narrow = is_narrow(figure)
    marks = [Line2D([], [], color=_COLOURS[n], marker=_MARKERS[n]) for n in range(len(value.shown))]
    columns = 1 if narrow else 2
    margins = Spacing(head=0.15 + 0.2 * -(-len(marks) // columns), title=0.0, bottom=0.75 if narrow else 0.5)
    ((axes,),) = panels(figure, 1, 1, 2.2, margins)
    legend(figure, [(one.name, mark) for one, mark in zip(value.shown, marks, strict=True)], columns)
    axes.set_yscale("log")
    ends = [1.0]
    for number, one in enumerate(value.shown):
        xs = [at for at, _ in one.points]
        marks = axes.plot(
            xs, [point.ratio for _, point in one.points], color=_COLOURS[number], marker=_MARKERS[number]
        )
        hover(marks, [f"{one.name}: {paired(point)} ({value.labels[at]})" for at, point in one.points])
        ends += [point.ratio for _, point in one.points]
        sure = [(at, point.low, point.high) for at, point in one.points if not too_few(point)]
        if sure:
            at, lows, highs = zip(*sure, strict=True)
            axes.vlines(at, lows, highs, color=_COLOURS[number])
            ends += [*lows, *highs]
    low, high = min(ends) / 1.1, max(ends) * 1.1
    axes.set_ylim(low, high)
    log_axis(axes.yaxis, low, high)
    axes.set_ylabel("times as fast")
    axes.set_xlim(-0.3, len(value.labels) - 0.7)
    shorter = [label if len(label) < 15 else f"…{label[-13:]}" for label in value.labels]  # noqa: PLR2004  # room
    axes.set_xticks(range(len(shorter)), shorter, rotation=20 if narrow else 0)


def _cell(one: FilesSeries, number: int) -> str:
    point = next((point for at, point in one.points if at == number), None)
    return "-" if point is None else paired(point)
