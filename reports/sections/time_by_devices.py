"""How long a task takes under each policy, against the number of devices."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qcaps.report.fit import Line as Fitted
from qcaps.report.fit import fit_line
from qcaps.report.section import Content, Table
from qcaps.units import duration

from ._drawing import Spacing, hover, is_narrow, legend, line_mark, log_axis, look, panels
from ._growth import Family, families, panels_to_show
from ._words import estimate, quoted_validity, task_name, validity_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from qcaps.report.sources import Sources

ORDER = 30
PART = "The reference"
HEADING = "Time against device count"
MISSING = "no scenario was measured at two or more device counts: qcaps run"
_MICRO = 1e6
_MILLI = 1e3
_PREFERRED = ("once", "series")


@dataclass(frozen=True)
class TimePoint:
    """Seconds of a block: the median, and the quartiles."""

    devices: int
    low: float
    middle: float
    high: float


@dataclass(frozen=True)
class TimeLine:
    """One policy, and the straight line through its times."""

    policy: str
    points: tuple[TimePoint, ...]
    fit: Fitted | None


@dataclass(frozen=True)
class TimePanel:
    """One scenario under one validity."""

    scenario: str
    task: str
    validity: str
    lines: tuple[TimeLine, ...]


@dataclass(frozen=True)
class TimeDrawing:
    """Rows of panels."""

    rows: tuple[tuple[TimePanel, ...], ...]

    @property
    def panels(self) -> tuple[TimePanel, ...]:
        """All panels in reading order."""
        return tuple(panel for row in self.rows for panel in row)


def data(sources: Sources) -> TimeDrawing | None:
    """Every policy, in the panels that are shown."""
    rows = [tuple(_panel(family) for family in row) for row in panels_to_show(families(sources.reference))]
    return TimeDrawing(tuple(rows)) if rows else None


def content(value: TimeDrawing) -> Content:
    """What a device costs under the slowest and the best policy, where they differ most."""
    return Content(
        _finding(value),
        description="Log-log panels by validity and scenario, a line a policy. "
        + "; ".join(
            f"{panel.scenario} under {panel.validity}: "
            + ", ".join(
                f"{line.policy} {duration(line.points[0].middle)} to {duration(line.points[-1].middle)}"
                for line in panel.lines
            )
            for panel in value.panels
        ),
        notes=(
            (
                "Marks: medians of blocks, a block being its quickest call; bands: the middle half of the"
                " blocks. The table has the line through them, a device's cost and what remains without"
                " devices, each with its 95 % interval."
            ),
        ),
        tables=(_slopes(value),),
    )


def draw(value: TimeDrawing, figure: Figure) -> None:
    """Validities below each other, scenarios side by side; time on one scale throughout."""
    rows = [[panel] for panel in value.panels] if is_narrow(figure) else [list(row) for row in value.rows]
    columns = max(len(row) for row in rows)
    policies = list(dict.fromkeys(line.policy for panel in value.panels for line in panel.lines))
    legend_columns = 3 if is_narrow(figure) else len(policies)
    margins = Spacing(head=0.1 + 0.22 * -(-len(policies) // legend_columns))
    grid = panels(figure, len(rows), columns, 2.15, margins, sharey=True)
    legend(figure, [(policy, line_mark(policy)) for policy in policies], legend_columns)
    points = [point for panel in value.panels for line in panel.lines for point in line.points]
    low = min(point.low for point in points) * _MILLI / 1.3
    high = max(point.high for point in points) * _MILLI * 1.3
    for axes_row, row in zip(grid, rows, strict=True):
        for axes in axes_row[len(row) :]:
            axes.set_visible(False)
        for axes, panel in zip(axes_row, row, strict=False):
            _draw_panel(axes, panel)
            axes.set_ylim(low, high)
            log_axis(axes.yaxis, low, high)
        axes_row[0].set_ylabel("time (ms)")
    for column in range(columns):
        bottom = [row[column] for row in grid if row[column].get_visible()][-1]
        bottom.set_xlabel("devices in the resulting domain")


def _draw_panel(axes: Axes, panel: TimePanel) -> None:
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_title(f"{panel.task}: {panel.scenario}, {validity_name(panel.validity)}", fontsize=9)
    for line in panel.lines:
        colour, marker, dashes = look(line.policy)
        xs = [point.devices for point in line.points]
        middles = [point.middle * _MILLI for point in line.points]
        marks = axes.plot(xs, middles, color=colour, marker=marker, linestyle=dashes, linewidth=1.2)
        hover(
            marks,
            [f"{line.policy}, {one.devices} devices: {duration(one.middle)}" for one in line.points],
        )
        axes.fill_between(
            xs,
            [point.low * _MILLI for point in line.points],
            [point.high * _MILLI for point in line.points],
            color=colour,
            alpha=0.18,
            linewidth=0,
        )
    counts = [point.devices for line in panel.lines for point in line.points]
    axes.set_xlim(min(counts) / 1.2, max(counts) * 1.2)
    log_axis(axes.xaxis, min(counts) / 1.2, max(counts) * 1.2)


def _panel(family: Family) -> TimePanel:
    lines = tuple(_line(family, policy) for policy in family.arms)
    return TimePanel(family.key.scenario, family.key.task, family.key.validity, lines)


def _line(family: Family, policy: str) -> TimeLine:
    samples = family.samples(policy)
    points = tuple(_point(devices, values) for devices, values in samples.items())
    return TimeLine(policy, points, fit_line(samples))


def _point(devices: int, values: tuple[float, ...]) -> TimePoint:
    low, middle, high = statistics.quantiles(values, n=4) if len(values) > 1 else values * 3
    return TimePoint(devices, low, middle, high)


def _finding(value: TimeDrawing) -> str:
    best: tuple[float, TimePanel, TimeLine, TimeLine] | None = None
    for panel in value.rows[0]:
        lines = {line.policy: line for line in panel.lines}
        quick = next((lines[name] for name in _PREFERRED if name in lines), panel.lines[-1])
        slow = panel.lines[0]
        gain = slow.points[-1].middle / quick.points[-1].middle
        if best is None or gain > best[0]:
            best = (gain, panel, slow, quick)
    assert best is not None, "a drawing has a panel"
    _, panel, slow, quick = best
    where = f"{panel.scenario} under {quoted_validity(panel.validity)}"
    largest = (
        f"{task_name(panel.task)} of {slow.points[-1].devices} devices takes"
        f" {duration(slow.points[-1].middle)} with '{slow.policy}'"
    )
    if quick.policy != slow.policy:
        largest += f", {duration(quick.points[-1].middle)} with '{quick.policy}'"
    if not _grows(slow):
        return f"{where}: a {largest}; what a device adds cannot be told."
    if quick.policy == slow.policy:
        return f"Each device adds {_each(slow)} ({where}): a {largest}."
    if not _grows(quick):
        return (
            f"Each device adds {_each(slow)}, with '{quick.policy}' it cannot be told ({where}): a {largest}."
        )
    return f"Each device adds {_each(slow)} and {_each(quick)} ({where}): a {largest}."


def _grows(line: TimeLine) -> bool:
    """Whether a device surely adds something."""
    return line.fit is not None and line.fit.slope.low > 0


def _each(line: TimeLine) -> str:
    assert line.fit is not None, "asked only of a line that grows"
    return f"{duration(line.fit.slope.value)} with '{line.policy}'"


def _slopes(value: TimeDrawing) -> Table:
    rows = tuple(
        (
            panel.scenario,
            panel.validity,
            line.policy,
            estimate(line.fit.slope, _MICRO),
            estimate(line.fit.intercept, _MICRO),
            duration(line.points[-1].middle),
        )
        for panel in value.panels
        for line in panel.lines
        if line.fit is not None
    )
    return Table(
        "Slope and intercept, with 95 % intervals",
        (
            "scenario",
            "validity",
            "policy",
            "µs a device [95 %]",
            "µs without devices [95 %]",
            "time of the largest",
        ),
        rows,
        left=("scenario", "validity", "policy"),
    )
