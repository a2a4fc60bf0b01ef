"""One task as a timeline, under two policies: each lookup and each fork a mark."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from qcaps.measure.worker.trace import CHECK, FORK, LOOKUP, PHASE
from qcaps.report import escaping
from qcaps.report.section import Content, Download
from qcaps.report.spans import ReadSpan, Trace, to_perfetto, to_speedscope, trace_of
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
from ._words import count, domain_name, quoted_validity, task_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from qcaps.measure.cell import Cell
    from qcaps.measure.results.results_file import Measured
    from qcaps.report.sources import Sources

ORDER = 10
PART = "The reference"
HEADING = "One task as a timeline"
MISSING = "the results hold no spans of two policies side by side: qcaps run"
_SLOW, _QUICK = ("naive",), ("once", "once-abort", "series", "oracle")
_COLOURS = {
    "parse": SKY,
    "post-parse": BLUE,
    "assign addresses": GREEN,
    "validate": PINK,
    "copy": PALE,
    "format": ORANGE,
    "save": GREY,
    "command line": PALE,
}
_MILLI, _MICRO = 1e-3, 1e-6
_PREFERRED = (("simple", 1), ("disks@pc", 16), ("disks", 16))
_VALIDITIES = ("ctime", "fork", "watch", "trust")


@dataclass(frozen=True)
class TimelineDrawing:
    """Two traces of the same task on the same domain, the slower first."""

    scenario: str
    n: int
    task: str
    validity: str
    devices: int
    traces: dict[str, Trace]

    def marks(self, policy: str, kind: str) -> tuple[float, ...]:
        """Milliseconds at which events of a kind begin."""
        return tuple(span.start * _MILLI for span in self.traces[policy].spans if span.kind == kind)


def data(sources: Sources) -> TimelineDrawing | None:
    """The virt-install guest's define as libvirt checks today if it was traced; else what comes nearest."""
    found = [
        drawing
        for comparison, arms in sources.reference.by_comparison().items()
        if (drawing := _pair(comparison, arms))
    ]
    return min(found, key=_preference, default=None)


def content(value: TimelineDrawing) -> Content:
    """Lookups and time of both."""
    (slow, slow_trace), (quick, quick_trace) = value.traces.items()
    asked = [len(value.marks(policy, LOOKUP)) for policy in value.traces]
    forked = [len(value.marks(policy, FORK)) for policy in value.traces]
    forks = f" and {count(forked[0], 'fork')}" if forked[0] else ""
    finding = (
        f"{task_name(value.task).capitalize()} of {domain_name(value.scenario, value.n)} ({value.devices}"
        f" devices) makes {count(asked[0], 'lookup')}{forks} with '{slow}', {asked[1]} with '{quick}':"
        f" {duration(slow_trace.total * _MICRO)} or {duration(quick_trace.total * _MICRO)} on the reference,"
        f" under {quoted_validity(value.validity)}."
    )
    stem = escaping.file_name(f"{value.task}-{value.scenario}-{value.n}".replace("+", "-"))
    return Content(
        finding,
        description="; ".join(
            f"{policy}: "
            + ", ".join(
                f"{span.name} from {span.start * _MILLI:.2f} to {span.end * _MILLI:.2f} ms"
                for span in trace.spans
                if span.kind == PHASE
            )
            for policy, trace in value.traces.items()
        ),
        notes=(
            (
                "Each mark is a lookup, where it happens in the task. The run whose time was the median of"
                " those traced; pointing at a mark says what asked. The files open in ui.perfetto.dev and"
                " speedscope.app, both timelines side by side."
            ),
        ),
        links=(
            Download(
                "Perfetto trace", f"{stem}.perfetto.json", "application/json", to_perfetto(value.traces)
            ),
            Download(
                "speedscope profile",
                f"{stem}.speedscope.json",
                "application/json",
                to_speedscope(value.traces),
            ),
        ),
    )


def draw(value: TimelineDrawing, figure: Figure) -> None:
    """The slower above the quicker, on one time scale."""
    narrow = is_narrow(figure)
    names = [
        name
        for name in _COLOURS
        if any(
            span.kind == PHASE and span.name == name
            for trace in value.traces.values()
            for span in trace.spans
        )
    ]
    entries: list[tuple[str, Line2D | Patch]] = [(name, Patch(facecolor=_COLOURS[name])) for name in names]
    entries.append(("lookup", Line2D([], [], color=INK, marker="v", markersize=5, linestyle="")))
    kinds = {span.kind for trace in value.traces.values() for span in trace.spans}
    if FORK in kinds:
        entries.append(("its fork", Patch(facecolor=VERMILION)))
    if CHECK in kinds:
        entries.append(("check at the end", Line2D([], [], color=INK, marker="x", linestyle="")))
    columns = 3 if narrow else len(entries) if len(entries) < 7 else 5  # noqa: PLR2004  # what one line holds
    margins = Spacing(left=0.15, right=0.2, down=0.12, head=0.12 + 0.2 * -(-len(entries) // columns))
    grid = panels(figure, 2, 1, 1.05, margins, sharex=True)
    legend(figure, entries, columns)
    longest = max(trace.total for trace in value.traces.values()) * _MILLI
    for (axes,), policy in zip(grid, value.traces, strict=True):
        _draw_lane(axes, value, policy, longest)
    grid[0][0].tick_params(axis="x", length=0)
    grid[-1][0].set_xlabel(f"time since the beginning of {task_name(value.task)} (ms)")


def _draw_lane(axes: Axes, value: TimelineDrawing, policy: str, longest: float) -> None:
    trace = value.traces[policy]
    asked, forked = value.marks(policy, LOOKUP), value.marks(policy, FORK)
    words = f"{policy}: {duration(trace.total * _MICRO)}, {count(len(asked), 'lookup')}"
    axes.set_title(
        words + (f", {count(len(forked), 'fork')}" if forked else ""), fontsize=9.5, fontweight="bold"
    )
    for span in trace.spans:
        start, length = span.start * _MILLI, span.length * _MILLI
        if span.kind == PHASE:
            bar = axes.barh(
                0, length, left=start, height=0.8, color=_COLOURS.get(span.name, PALE), linewidth=0
            )
            hover(bar, [_told(span)])
        elif span.kind == FORK:
            axes.barh(0, length, left=start, height=0.5, color=VERMILION, linewidth=0)
    for x in asked:
        axes.axvline(x, 0.27, 0.72, color=INK, linewidth=0.5)
    marks = axes.plot(
        asked, [0.72] * len(asked), linestyle="", marker="v", markersize=5, color=INK, markeredgewidth=0
    )
    hover(marks, [_told(span) for span in trace.spans if span.kind == LOOKUP])
    checks = value.marks(policy, CHECK)
    axes.plot(checks, [0.72] * len(checks), linestyle="", marker="x", markersize=5, color=INK)
    axes.set_yticks([])
    axes.set_ylim(-0.55, 1.05)
    axes.set_xlim(-longest * 0.004, longest * 1.01)
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)


def _told(span: ReadSpan) -> str:
    return f"{span.kind}, {span.name}: {duration(span.length * _MICRO)}, at {span.start * _MILLI:.2f} ms"


def _pair(cell: Cell, arms: dict[str, Measured]) -> TimelineDrawing | None:
    traces: dict[str, Trace] = {}
    for group in (_SLOW, _QUICK):
        for policy in group:
            trace = trace_of(arms[policy]) if policy in arms else None
            if trace is not None and trace.spans:
                traces[policy] = trace
                break
    if len(traces) < 2:  # noqa: PLR2004  # one above the other
        return None
    devices = next(iter(arms.values())).counts.devices
    return TimelineDrawing(cell.scenario, cell.n, cell.task, cell.validity, devices, traces)


def _preference(drawing: TimelineDrawing) -> tuple[int, int, int, int]:
    guest = (drawing.scenario, drawing.n)
    return (
        _VALIDITIES.index(drawing.validity) if drawing.validity in _VALIDITIES else len(_VALIDITIES),
        _PREFERRED.index(guest) if guest in _PREFERRED else len(_PREFERRED),
        int(drawing.task != "define"),
        drawing.devices,
    )
