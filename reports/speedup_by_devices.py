"""How many times as fast looking up once is, against the number of devices."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qcaps.report.summary import Speedup, speedups

from ._drawing import MARKERS, Label, colours, label_ends, log_axis, write_head

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from qcaps.measure.results import Results

_PREFERRED = ("once", "series")
_MEANING = {
    "fork": "a fork each lookup",
    "ctime": "14 system calls each lookup",
    "watch": "inotify",
    "trust": "no check",
}


@dataclass(frozen=True)
class Line:
    """One scenario: speedups at growing device counts."""

    scenario: str
    task: str
    points: tuple[Speedup, ...]


@dataclass(frozen=True)
class Drawing:
    """One panel a validity; the same lines in each, in the same colours."""

    policy: str
    baseline: str
    panels: dict[str, tuple[Line, ...]]
    scenarios: tuple[tuple[str, str], ...]

    @property
    def title(self) -> str:
        """The finding: the greatest speedup under each validity."""
        best = {
            validity: max(point.ratio for line in lines for point in line.points)
            for validity, lines in self.panels.items()
        }
        (validity, ratio), *others = best.items()
        finding = (
            f"'{self.policy}' is up to {_digits(ratio)} times as fast as '{self.baseline}' under '{validity}'"
        )
        return ", ".join((finding, *(f"{_digits(ratio)} under '{validity}'" for validity, ratio in others)))


def data(results: Results) -> Drawing | None:
    """The speedups of one policy: `once` if it was measured, else `series`, else the first."""
    found = speedups(results)
    policies = list(dict.fromkeys(one.policy for one in found))
    if not policies:
        return None
    policy = next((name for name in _PREFERRED if name in policies), policies[0])
    found = tuple(one for one in found if one.policy == policy)
    panels: dict[str, tuple[Line, ...]] = {}
    scenarios = tuple(dict.fromkeys((one.scenario, one.task) for one in found))
    for validity in dict.fromkeys(one.validity for one in found):
        lines = [
            Line(scenario, task, _points(found, scenario, task, validity)) for scenario, task in scenarios
        ]
        panels[validity] = tuple(line for line in lines if line.points)
    return Drawing(policy, found[0].baseline, panels, scenarios)


def draw(value: Drawing, figure: Figure) -> None:
    """Panels side by side with one scale, so that they can be compared."""
    count = len(value.panels)
    width, height = max(3.9 * count + 0.6, 6.0), 4.3
    figure.set_size_inches(width, height)
    note = f"time of '{value.baseline}' / time of '{value.policy}'; bands: 95 % interval"
    head = write_head(figure, value.title, note)
    figure.subplots_adjust(
        left=0.75 / width,
        right=1 - 1.25 / width,
        bottom=0.55 / height,
        top=1 - (head + 0.3) / height,
        wspace=0.5,
    )
    panels = figure.subplots(1, count, sharex=True, sharey=True, squeeze=False)[0]
    points = [point for lines in value.panels.values() for line in lines for point in line.points]
    for axes, (validity, lines) in zip(panels, value.panels.items(), strict=True):
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_title(f"{validity}: {_MEANING.get(validity, '')}".rstrip(": "))
        axes.set_xlabel("devices in the resulting domain")
        axes.axhline(1, color="0.4", linewidth=0.8)
        log_axis(axes.xaxis, *_limits([point.devices for point in points]))
        log_axis(axes.yaxis, *_limits([1.0, *(point.ratio for point in points)]))
        axes.set_xlim(_limits([point.devices for point in points]))
        axes.set_ylim(_limits([1.0, *(point.high for point in points), *(point.low for point in points)]))
        label_ends(axes, [_draw_line(axes, line, value, colours()) for line in lines])
    panels[0].set_ylabel("speedup (times)")


def _draw_line(axes: Axes, line: Line, value: Drawing, palette: list[str]) -> Label:
    number = value.scenarios.index((line.scenario, line.task))
    colour = palette[number % len(palette)]
    xs = [point.devices for point in line.points]
    ys = [point.ratio for point in line.points]
    lows, highs = [point.low for point in line.points], [point.high for point in line.points]
    axes.plot(xs, ys, color=colour, marker=MARKERS[number % len(MARKERS)])
    if len(xs) > 1:
        axes.fill_between(xs, lows, highs, color=colour, alpha=0.2, linewidth=0)
    else:
        axes.vlines(xs, lows, highs, color=colour)
    several = len({task for _, task in value.scenarios}) > 1
    words = f"{line.scenario}\n({line.task})" if several and line.task != "define" else line.scenario
    return Label(words, xs[-1], ys[-1], colour)


def _points(found: tuple[Speedup, ...], scenario: str, task: str, validity: str) -> tuple[Speedup, ...]:
    chosen = [one for one in found if (one.scenario, one.task, one.validity) == (scenario, task, validity)]
    return tuple(sorted(chosen, key=lambda one: one.devices))


def _limits(values: list[float] | list[int]) -> tuple[float, float]:
    return min(values) / 1.15, max(values) * 1.15


def _digits(ratio: float) -> str:
    return f"{ratio:.0f}" if ratio >= 10 else f"{ratio:.1f}"  # noqa: PLR2004  # two digits say enough
