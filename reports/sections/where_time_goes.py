"""Where the time of one task goes: its phases, and lookups apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from matplotlib.patches import Patch

from qcaps.measure.worker.trace import FORKS, LOOKUPS
from qcaps.report.section import Content, Table
from qcaps.report.spans import trace_of
from qcaps.units import duration

from ._drawing import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    PALE,
    PINK,
    SKY,
    VERMILION,
    Spacing,
    hover,
    is_narrow,
    legend,
    panels,
)
from ._words import count, percent, quoted_validity, task_name, validity_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from qcaps.measure.cell import Cell
    from qcaps.measure.results.results_file import Measured
    from qcaps.report.sources import Sources

ORDER = 40
PART = "The reference"
HEADING = "Where the time goes"
MISSING = "the results hold no spans (measured by an older qcaps, or cut short): qcaps run"
_POLICIES = ("naive", "series", "once", "oracle")
_VALIDITIES = ("ctime", "fork")
_TASK = "define"
_MOST_DEVICES = 160
_COLOURS = {
    "parse": SKY,
    "post-parse": BLUE,
    "assign addresses": GREEN,
    "validate": PINK,
    "copy": PALE,
    "format": ORANGE,
    "save": GREY,
    "command line": INK,
    "rest": PALE,
    LOOKUPS: VERMILION,
    FORKS: VERMILION,
}
_HATCH = {FORKS: "////"}
_MILLI, _MICRO = 1e-3, 1e-6


@dataclass(frozen=True)
class PartsBar:
    """One policy: microseconds of each part, in the order of the task, lookups and forks last."""

    policy: str
    parts: dict[str, float]
    lookups: int
    forks: int

    @property
    def total(self) -> float:
        """Microseconds."""
        return sum(self.parts.values())

    @property
    def asking(self) -> float:
        """The share of the time that lookups take, forks included."""
        return (self.parts.get(LOOKUPS, 0.0) + self.parts.get(FORKS, 0.0)) / self.total


@dataclass(frozen=True)
class PartsPanel:
    """One comparison."""

    scenario: str
    n: int
    devices: int
    task: str
    validity: str
    bars: tuple[PartsBar, ...]


def data(sources: Sources) -> tuple[PartsPanel, ...] | None:
    """For each of two validities, the largest define of at most 160 devices that was traced; or any."""
    found = [
        panel
        for comparison, arms in sources.reference.by_comparison().items()
        if (panel := _panel(comparison, arms))
    ]
    chosen = []
    for validity in (
        _VALIDITIES if any(one.validity in _VALIDITIES for one in found) else {one.validity for one in found}
    ):
        own = [panel for panel in found if panel.validity == validity]
        if own:
            chosen.append(max(own, key=_preference))
    return tuple(chosen) or None


def content(value: tuple[PartsPanel, ...]) -> Content:
    """The share of lookups under the first and the best policy."""
    panel = value[0]
    first, best = panel.bars[0], next((bar for bar in panel.bars if bar.policy == "once"), panel.bars[-1])
    finding = (
        f"Lookups are {percent(first.asking)} of a {task_name(panel.task)} of"
        f" {count(panel.devices, 'device')} with '{first.policy}' under {quoted_validity(panel.validity)}"
    )
    if best is not first:
        finding += f", {percent(best.asking)} with '{best.policy}'"
    return Content(
        finding + ".",
        description="; ".join(
            f"{panel.scenario}/{panel.n} under {panel.validity}, {bar.policy}: {bar.total * _MILLI:.2f} ms,"
            " of it "
            + ", ".join(f"{name} {time * _MILLI:.2f}" for name, time in bar.parts.items() if time > 0)
            for panel in value
            for bar in panel.bars
        ),
        notes=(
            (
                "Traced after all timing, the median of up to five runs; a lookup is taken out of the phase"
                " it happens in. Tracing itself takes a few microseconds a lookup."
            ),
        ),
        tables=(_table(value),),
    )


def draw(value: tuple[PartsPanel, ...], figure: Figure) -> None:
    """A bar a policy, a panel a validity."""
    names = [
        name for name in _COLOURS if any(bar.parts.get(name, 0) > 0 for panel in value for bar in panel.bars)
    ]
    narrow = is_narrow(figure)
    columns = 2 if narrow else 5
    most = max(len(panel.bars) for panel in value)
    margins = Spacing(left=0.62, right=0.2, head=0.12 + 0.2 * -(-len(names) // columns))
    grid = panels(figure, len(value), 1, (0.62 if narrow else 0.42) * most + 0.1, margins)
    labels = {LOOKUPS: "lookups without forks", FORKS: "forks of lookups"}
    entries = [
        (
            labels.get(name, name),
            Patch(facecolor=_COLOURS[name], hatch=_HATCH.get(name), edgecolor="white", lw=0),
        )
        for name in names
    ]
    legend(figure, entries, columns)
    for (axes,), panel in zip(grid, value, strict=True):
        _draw_panel(axes, panel, narrow=narrow)


def _draw_panel(axes: Axes, panel: PartsPanel, *, narrow: bool) -> None:
    large = "" if narrow else f" {panel.devices} devices,"
    domain = f"{panel.scenario}/{panel.n}"
    axes.set_title(f"{panel.task}: {domain},{large} {validity_name(panel.validity)}")
    axes.grid(visible=False, axis="y")
    longest = max(bar.total for bar in panel.bars) * _MILLI
    inches = axes.bbox.width / axes.figure.dpi
    for place, bar in enumerate(panel.bars):
        start = 0.0
        for name, colour in _COLOURS.items():
            width = max(bar.parts.get(name, 0.0), 0.0) * _MILLI
            if width:
                part = axes.barh(
                    place,
                    width,
                    left=start,
                    height=0.52,
                    color=colour,
                    hatch=_HATCH.get(name),
                    edgecolor="white",
                    lw=0,
                )
                share = percent(bar.parts[name] / bar.total)
                hover(part, [f"{bar.policy}, {name}: {duration(bar.parts[name] * _MICRO)}, {share}"])
            start += width
        words = f"{duration(bar.total * _MICRO)}, {count(bar.lookups, 'lookup')}"
        if bar.forks:
            words += f", {count(bar.forks, 'fork')}"
        room = (1 - start / (longest * 1.02)) * inches
        needed = 0.068 * len(words) * 72 / 72 + 0.1
        if narrow:
            axes.text(0, place - 0.31, words, va="bottom", ha="left", fontsize=8)
        elif room > needed:
            axes.text(start + longest * 0.008, place, words, va="center", ha="left", fontsize=8.5)
        else:
            box = {"boxstyle": "round,pad=0.25", "facecolor": "#ffffff", "edgecolor": "none", "alpha": 0.92}
            axes.text(
                start - longest * 0.008,
                place,
                words,
                va="center",
                ha="right",
                fontsize=8.5,
                bbox=box,
                color="#111111",
            )
    axes.set_yticks(range(len(panel.bars)), [bar.policy for bar in panel.bars])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(panel.bars) - 0.55, -0.62 if narrow else -0.45)
    axes.set_xlim(0, longest * 1.02)
    axes.set_xlabel("time (ms)")


def _panel(cell: Cell, arms: dict[str, Measured]) -> PartsPanel | None:
    bars = [bar for policy in _POLICIES if policy in arms and (bar := _bar(arms[policy]))]
    if not bars:
        return None
    devices = next(iter(arms.values())).counts.devices
    return PartsPanel(cell.scenario, cell.n, devices, cell.task, cell.validity, tuple(bars))


def _bar(arm: Measured) -> PartsBar | None:
    trace = trace_of(arm)
    if trace is None or not any(value > 0 for value in trace.parts.values()):
        return None
    parts = {name: max(value, 0.0) for name, value in trace.parts.items()}
    return PartsBar(arm.cell.policy, parts, arm.counts.lookups, arm.counts.forks)


def _preference(panel: PartsPanel) -> tuple[bool, int, bool, bool, int]:
    small = panel.devices <= _MOST_DEVICES
    return (
        panel.task == _TASK,
        len(panel.bars),
        panel.scenario.startswith("disks"),
        small,
        panel.devices if small else -panel.devices,
    )


def _table(value: tuple[PartsPanel, ...]) -> Table:
    names = [name for name in _COLOURS if any(name in bar.parts for panel in value for bar in panel.bars)]
    rows = tuple(
        (
            panel.validity,
            bar.policy,
            *(duration(bar.parts.get(name, 0.0) * _MICRO) for name in names),
            duration(bar.total * _MICRO),
            str(bar.lookups),
            str(bar.forks),
        )
        for panel in value
        for bar in panel.bars
    )
    words = {LOOKUPS: "lookups without forks", FORKS: "forks"}
    return Table(
        "The time of each part",
        ("validity", "policy", *(words.get(name, name) for name in names), "all", "lookups", "forks of it"),
        rows,
        left=("validity", "policy"),
    )
