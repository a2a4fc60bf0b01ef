"""How long a task takes under each policy, against the number of devices."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ._drawing import MARKERS, Label, colours, label_ends, log_axis, write_head

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from qcaps.measure.results import Measured, Results

_MOST_SCENARIOS = 4
_MILLI = 1e3


@dataclass(frozen=True)
class Point:
    """Milliseconds of a block: the median, and the quartiles."""

    devices: int
    low: float
    middle: float
    high: float


@dataclass(frozen=True)
class Drawing:
    """Panels by (validity, scenario); in each a line a policy."""

    task: str
    validities: tuple[str, ...]
    scenarios: tuple[str, ...]
    policies: tuple[str, ...]
    lines: dict[tuple[str, str, str], tuple[Point, ...]]

    @property
    def title(self) -> str:
        """The finding: what the first and the last policy on the list cost where they differ most."""
        first, last = self.policies[0], "once" if "once" in self.policies else self.policies[-1]
        ends = [
            (
                self.lines[validity, scenario, first][-1],
                self.lines[validity, scenario, last][-1],
                scenario,
                validity,
            )
            for validity in self.validities
            for scenario in self.scenarios
            if {(validity, scenario, first), (validity, scenario, last)} <= self.lines.keys()
        ]
        if first == last or not ends:
            return f"Time of {self.task} under '{first}'"
        slow, quick, scenario, validity = max(ends, key=lambda end: end[0].middle / end[1].middle)
        return (
            f"{self.task} of {slow.devices} devices ({scenario}, {validity}): "
            f"{_time(slow.middle)} with '{first}', {_time(quick.middle)} with '{last}'"
        )


def data(results: Results) -> Drawing | None:
    """The task measured at most device counts, in scenarios measured at two or more."""
    lines: dict[tuple[str, str, str, str], list[Point]] = {}
    for one in results.measured:
        cell = one.cell
        lines.setdefault((cell.task, cell.validity, cell.scenario, cell.policy), []).append(_point(one))
    growing = {key: sorted(points, key=_devices) for key, points in lines.items() if len(points) > 1}
    if not growing:
        return None
    tasks = [key[0] for key in growing]
    task = max(tasks, key=tasks.count)
    keys = [key for key in growing if key[0] == task]
    scenarios = tuple(dict.fromkeys(key[2] for key in keys))[:_MOST_SCENARIOS]
    return Drawing(
        task,
        tuple(dict.fromkeys(key[1] for key in keys)),
        scenarios,
        tuple(dict.fromkeys(key[3] for key in keys)),
        {key[1:]: tuple(growing[key]) for key in keys if key[2] in scenarios},
    )


def draw(value: Drawing, figure: Figure) -> None:
    """Validities below each other, scenarios side by side; time on one scale throughout."""
    rows, columns = len(value.validities), len(value.scenarios)
    width, height = max(3.1 * columns + 0.9, 6.0), 2.5 * rows + 1.2
    figure.set_size_inches(width, height)
    head = write_head(figure, value.title, "median of blocks; bands: the middle half of them")
    figure.subplots_adjust(
        left=0.75 / width, right=1 - 0.95 / width, bottom=0.55 / height, top=1 - (head + 0.3) / height,
        wspace=0.42, hspace=0.32,
    )  # fmt: skip
    panels = figure.subplots(rows, columns, sharex="col", sharey=True, squeeze=False)
    points = [point for line in value.lines.values() for point in line]
    low, high = min(point.low for point in points) / 1.3, max(point.high for point in points) * 1.3
    for row, validity in enumerate(value.validities):
        panels[row][0].set_ylabel(f"time of {value.task} (ms)")
        for column, scenario in enumerate(value.scenarios):
            axes = panels[row][column]
            axes.set_xscale("log")
            axes.set_yscale("log")
            axes.set_title(f"{scenario}, {validity}")
            axes.set_ylim(low, high)
            log_axis(axes.yaxis, low, high)
            _draw_lines(axes, value, validity, scenario, colours())
    for axes in panels[-1]:
        axes.set_xlabel("devices in the resulting domain")


def _draw_lines(axes: Axes, value: Drawing, validity: str, scenario: str, palette: list[str]) -> None:
    labels = []
    for number, policy in enumerate(value.policies):
        line = value.lines.get((validity, scenario, policy))
        if line is None:
            continue
        xs = [point.devices for point in line]
        colour = palette[number % len(palette)]
        axes.plot(xs, [point.middle for point in line], color=colour, marker=MARKERS[number % len(MARKERS)])
        axes.fill_between(
            xs, [point.low for point in line], [point.high for point in line], color=colour, alpha=0.2, lw=0
        )
        labels.append(Label(policy, xs[-1], line[-1].middle, colour))
    every = [
        point.devices for (_, other, _), line in value.lines.items() if other == scenario for point in line
    ]
    axes.set_xlim(min(every) / 1.15, max(every) * 1.15)
    log_axis(axes.xaxis, min(every), max(every))
    label_ends(axes, labels)


def _point(one: Measured) -> Point:
    values = [value * _MILLI for run in one.runs for value in run.block_values]
    low, middle, high = statistics.quantiles(values, n=4) if len(values) > 1 else values * 3
    return Point(one.counts.devices, low, middle, high)


def _devices(point: Point) -> int:
    return point.devices


def _time(milliseconds: float) -> str:
    return f"{milliseconds:.3g} ms"
