"""How many times as fast each policy is, against the number of devices; real libvirt on the same axes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from matplotlib.lines import Line2D

from qcaps.measure.cell import BASELINE
from qcaps.measure.subject import is_libvirt
from qcaps.report.fit import FittedSpeedup as Fitted
from qcaps.report.fit import fit_speedup
from qcaps.report.section import Content, Table
from qcaps.report.summary import ratio_of

from ._drawing import GREY, INK, Spacing, hover, is_narrow, legend, line_mark, log_axis, look, panels
from ._growth import Family, families, panels_to_show
from ._live import SpeedupPoint, live_points
from ._real import SeriesPoint as RealPoint
from ._real import real
from ._words import (
    MEANING,
    count,
    estimate,
    paired,
    quoted_validity,
    sure_interval,
    times,
    too_few,
    validity_name,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from qcaps.measure.results.results_file import Measured
    from qcaps.report.sources import Sources

ORDER = 20
PART = "The reference"
HEADING = "Speedup against device count"
MISSING = "no scenario at two or more device counts with the baseline beside another policy: qcaps run"
_FEWEST_FOR_MODEL = 3
_PREFERRED = ("once", "series")


@dataclass(frozen=True)
class SpeedupLine:
    """One policy: points, and the model fitted to the times behind them."""

    policy: str
    points: tuple[SpeedupPoint, ...]
    model: Fitted | None


@dataclass(frozen=True)
class SpeedupPanel:
    """One scenario under one validity."""

    scenario: str
    task: str
    validity: str
    lines: tuple[SpeedupLine, ...]
    real: tuple[RealPoint, ...] = ()
    live: tuple[SpeedupPoint, ...] = ()


@dataclass(frozen=True)
class SpeedupDrawing:
    """Rows of panels."""

    rows: tuple[tuple[SpeedupPanel, ...], ...]

    @property
    def panels(self) -> tuple[SpeedupPanel, ...]:
        """All panels in reading order."""
        return tuple(panel for row in self.rows for panel in row)


def data(sources: Sources) -> SpeedupDrawing | None:
    """Every policy but the baseline, in the panels that are shown."""
    found = families(sources.reference)
    live = [one for one in sources.results.measured if is_libvirt(one.cell.subject)]
    rows = []
    for row in panels_to_show(found):
        made = [_panel(family, live) for family in row]
        rows.append(tuple(panel for panel in made if panel.lines))
    rows = [row for row in rows if row]
    return SpeedupDrawing(tuple(rows)) if rows else None


def content(value: SpeedupDrawing) -> Content:
    """The greatest speedup under each validity, and the models behind the curves."""
    best: dict[str, tuple[SpeedupPoint, str, str]] = {}
    for panel in value.panels:
        line = _main(panel)
        point = max(line.points, key=_rank)
        known = best.get(panel.validity)
        if known is None or _rank(point) > _rank(known[0]):
            best[panel.validity] = (point, line.policy, panel.scenario)
    (validity, (point, policy, scenario)), *others = best.items()
    finding = (
        f"'{policy}' is up to {paired(point)} times as fast as '{BASELINE}' under {quoted_validity(validity)}"
        f" ({scenario}, {count(point.devices, 'device')})"
    )
    for validity, (other_point, other, _) in others:
        who = "" if other == policy else f"'{other}' "
        finding += f", {who}{paired(other_point)} times under {quoted_validity(validity)}"
    if any(too_few(point) for point, _, _ in best.values()):
        finding += "; too few pairs to be sure"
    shown = dict.fromkeys(panel.validity for panel in value.panels)
    notes = [
        (
            "Marks: measured, with 95 % intervals of paired blocks. Curves: (a + b n) / (c + d n) from"
            " straight lines through the times of both policies; it tends to b / d, the limit in the table."
        ),
        f"On a hit: {'; '.join(f'{name}, {MEANING[name]}' for name in shown if name in MEANING)}.",
    ]
    if any(panel.real for panel in value.panels):
        notes.append(
            "Stars: real libvirt 4.0.0, before and after the series (see Beside libvirt 4.0.0); its forks,"
            " its disk and its C code cost other amounts, so compare shapes before heights."
        )
    return Content(
        finding + ".",
        description="Log-log panels by validity and scenario; the speedup grows with the number of devices. "
        + "; ".join(
            f"{panel.scenario} under {panel.validity}, {_main(panel).policy}: "
            + ", ".join(f"{times(point.ratio)} at {point.devices}" for point in _main(panel).points)
            for panel in value.panels
        ),
        notes=tuple(notes),
        tables=(_points_table(value), _models_table(value)),
    )


def draw(value: SpeedupDrawing, figure: Figure) -> None:
    """Panels with one scale, so that they can be compared."""
    rows = [[panel] for panel in value.panels] if is_narrow(figure) else [list(row) for row in value.rows]
    columns = max(len(row) for row in rows)
    policies = list(dict.fromkeys(line.policy for panel in value.panels for line in panel.lines))
    entries = [(policy, line_mark(policy)) for policy in policies]
    if any(panel.real for panel in value.panels):
        entries.append(("libvirt 4.0.0, series", _star()))
    if any(panel.live for panel in value.panels):
        entries.append(("live libvirt", Line2D([], [], color=INK, marker="s", mfc="none", linestyle="")))
    legend_columns = 2 if is_narrow(figure) else len(entries)
    lines = -(-len(entries) // legend_columns)
    margins = Spacing(head=0.1 + 0.22 * lines, left=0.55)
    grid = panels(figure, len(rows), columns, 2.15, margins, sharey=True)
    legend(figure, entries, legend_columns)
    points = [point for panel in value.panels for line in panel.lines for point in line.points]
    heights = [1.0, *(point.high for point in points), *(point.low for point in points)]
    heights += [one.ratio for panel in value.panels for one in panel.real]
    low, high = min(heights) / 1.15, max(heights) * 1.25
    counts = [point.devices for point in points]
    counts += [point.devices for panel in value.panels for point in panel.real]
    ends = min(counts) / 1.2, max(counts) * 1.2
    for axes_row, row in zip(grid, rows, strict=True):
        for axes in axes_row[len(row) :]:
            axes.set_visible(False)
        for axes, panel in zip(axes_row, row, strict=False):
            _draw_panel(axes, panel, ends)
            axes.set_ylim(low, high)
            log_axis(axes.yaxis, low, high)
        axes_row[0].set_ylabel("times as fast")
    for column in range(columns):
        bottom = [row[column] for row in grid if row[column].get_visible()][-1]
        bottom.set_xlabel("devices in the resulting domain")


def _draw_panel(axes: Axes, panel: SpeedupPanel, ends: tuple[float, float]) -> None:
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_title(f"{panel.scenario}, {validity_name(panel.validity)}", fontsize=9)
    axes.axhline(1, color=GREY, linewidth=0.8)
    for line in panel.lines:
        colour, marker, dashes = look(line.policy)
        xs = [point.devices for point in line.points]
        marks = axes.plot(
            xs, [point.ratio for point in line.points], color=colour, marker=marker, linestyle=""
        )
        hover(marks, [f"{line.policy}, {point.devices} devices: {paired(point)}" for point in line.points])
        sure = [point for point in line.points if not too_few(point)]
        at, lows, highs = ([getattr(one, end) for one in sure] for end in ("devices", "low", "high"))
        axes.fill_between(at, lows, highs, color=colour, alpha=0.18, linewidth=0)
        axes.vlines(at, lows, highs, color=colour, linewidth=0.9)
        if line.model is None:
            axes.plot(
                xs, [point.ratio for point in line.points], color=colour, linestyle=dashes, linewidth=1.1
            )
        else:
            steps = [xs[0] * (xs[-1] / xs[0]) ** (step / 40) for step in range(41)]
            modelled = [(x, line.model.at(x)) for x in steps]
            modelled = [(x, y) for x, y in modelled if y > 0]
            axes.plot(*zip(*modelled, strict=True), color=colour, linestyle=dashes, linewidth=1.1)
    if panel.real:
        xs = [point.devices for point in panel.real]
        stars = axes.plot(xs, [point.ratio for point in panel.real], **_STAR)
        hover(stars, [f"libvirt 4.0.0, {point.domain}: {times(point.ratio)}" for point in panel.real])
    if panel.live:
        squares = axes.plot(
            [point.devices for point in panel.live],
            [point.ratio for point in panel.live],
            color=INK,
            marker="s",
            mfc="none",
            linestyle="",
        )
        hover(squares, [f"libvirt, {point.devices} devices: {paired(point)}" for point in panel.live])
    axes.set_xlim(*ends)
    log_axis(axes.xaxis, *ends)


_STAR: dict[str, Any] = {"color": INK, "marker": "*", "markersize": 7, "linestyle": "", "markeredgewidth": 0}


def _star() -> Line2D:
    return Line2D([], [], **_STAR)


def _panel(family: Family, live: list[Measured]) -> SpeedupPanel:
    base = family.arms.get(BASELINE, {})
    lines = [_line(family, base, policy) for policy in family.arms if policy != BASELINE]
    known = real()
    fits = (family.key.task, family.key.validity) == (known.task, known.validity)
    points = tuple(one for one in known.points if fits and family.key.scenario in (one.scenario, "disks"))
    return SpeedupPanel(
        family.key.scenario,
        family.key.task,
        family.key.validity,
        tuple(line for line in lines if line is not None),
        points,
        live_points(family.key, live),
    )


def _line(family: Family, base: dict[int, Measured], policy: str) -> SpeedupLine | None:
    points = []
    for devices, arm in family.arms[policy].items():
        # counts of devices are the domain's own: the same for all arms of a comparison
        found = ratio_of(base[devices], arm) if devices in base else None
        if found is not None:
            points.append(SpeedupPoint(devices, found.ratio, found.low, found.high, found.pairs))
    if not points:
        return None
    model = None
    if len(points) >= _FEWEST_FOR_MODEL:
        model = fit_speedup(family.samples(BASELINE), family.samples(policy))
    return SpeedupLine(policy, tuple(points), model)


def _rank(point: SpeedupPoint) -> tuple[bool, float]:
    """What is sure first, then the greatest."""
    return not too_few(point), point.ratio


def _main(panel: SpeedupPanel) -> SpeedupLine:
    by_policy = {line.policy: line for line in panel.lines}
    return next((by_policy[name] for name in _PREFERRED if name in by_policy), panel.lines[0])


def _points_table(value: SpeedupDrawing) -> Table:
    rows = tuple(
        (
            panel.scenario,
            panel.validity,
            line.policy,
            str(point.devices),
            times(point.ratio),
            sure_interval(point),
        )
        for panel in value.panels
        for line in panel.lines
        for point in line.points
    )
    headings = ("scenario", "validity", "policy", "devices", "times as fast", "95 % interval")
    return Table(f"Speedup over '{BASELINE}'", headings, rows, left=("scenario", "validity", "policy"))


def _models_table(value: SpeedupDrawing) -> Table:
    rows = []
    for panel in value.panels:
        for line in panel.lines:
            if line.model is None:
                continue
            slow, quick = line.model.slow, line.model.quick
            micro = 1e6
            rows.append(
                (
                    panel.scenario,
                    panel.validity,
                    line.policy,
                    f"{slow.intercept.value * micro:.0f} + {slow.slope.value * micro:.1f} n",
                    f"{quick.intercept.value * micro:.0f} + {quick.slope.value * micro:.1f} n",
                    estimate(line.model.limit) if line.model.limit else "undecided",
                )
            )
    headings = ("scenario", "validity", "policy", f"{BASELINE} (µs)", "policy (µs)", "limit b / d [95 %]")
    return Table("Fitted models, n devices", headings, tuple(rows), left=("scenario", "validity", "policy"))
