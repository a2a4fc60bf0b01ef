"""What a real, unmodified libvirt does: its lookups, its times, and what looking up once would buy it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from matplotlib.lines import Line2D

from qcaps.measure.cell import BASELINE, STOCK
from qcaps.measure.subject import REFERENCE, is_libvirt
from qcaps.report.section import Content, Table
from qcaps.report.summary import median_seconds
from qcaps.units import duration

from ._drawing import INK, Spacing, is_narrow, legend, line_mark, log_axis, look, panels
from ._live import ONCE as _ONCE
from ._live import LiveRow, live_rows
from ._words import count, sure_interval, times, too_few

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from qcaps.report.sources import Sources

ORDER = 6
PART = "Today"
HEADING = "Every libvirt measured"
MISSING = ""
_TIMED = ("define", "ctime")
_MILLI = 1e3
_MOST_PANELS = 3
_MARKS = ("s", "^", "D", "v", "P", "X")

Curve = tuple[tuple[int, float], ...]
"""Devices and milliseconds, ascending."""


@dataclass(frozen=True)
class LivePanel:
    """Times of define by devices: libvirt as it is and with one lookup, the reference beside them."""

    scenario: str
    curves: dict[tuple[str, str], Curve]


@dataclass(frozen=True)
class Live:
    """All that was measured on a real libvirt."""

    rows: tuple[LiveRow, ...]
    panels: tuple[LivePanel, ...]


def data(sources: Sources) -> Live | None:
    """Every task of every domain that a subject other than the reference was measured for."""
    rows = live_rows(sources)
    return Live(rows, _panels(sources)) if rows else None


def content(value: Live) -> Content:
    """Whether it keeps its law, and what it leaves on the table."""
    known = [row for row in value.rows if row.task == "define" and row.law is not None]
    equal = [row for row in known if row.lookups == row.law]
    releases = ", ".join(dict.fromkeys(row.release for row in value.rows))
    finding = f"libvirt {releases} was counted and timed"
    if known:
        finding = (
            f"libvirt {releases} looks up for each device, 2 + D times a define:"
            f" {len(equal)} of {count(len(known), 'domain')} counted exactly that"
        )
    ratios = [row.gain.ratio for row in value.rows if row.gain is not None and not too_few(row.gain)]
    if len(ratios) > 1:
        finding += (
            f"; looking up once would make them {times(min(ratios))} to {times(max(ratios))} times as fast"
        )
    headings = (
        *("subject", "domain", "task", "devices", "lookups", "by the law", "time"),
        *("time, looking up once", "times as fast", "95 % interval"),
    )
    rows = tuple(_texts(row) for row in value.rows)
    bad = frozenset(
        (number, headings.index("lookups"))
        for number, row in enumerate(value.rows)
        if row.law is not None and row.lookups != row.law
    )
    return Content(
        finding + ".",
        description="; ".join(_spoken(panel) for panel in value.panels),
        notes=(
            (
                "Stock libvirt, neither patched nor built: an interposed library counts, and to look up once"
                " it answers the later lookups of a domain parse with what the first one found."
            ),
            (
                "The reference's times are from a run of its own: how far apart its two curves are says more"
                " than how far they are from libvirt's. Under ctime the reference understates what looking up"
                " once buys: its lookups cost about what libvirt's do, and the rest of its define, written in"
                " Python, takes longer, more so under an interpreter built without optimisations: by 'qcaps"
                " gate --base libvirt --head reference disks -n 16 64 --task define' it takes 1.23 and 1.57"
                " times as long as embedded 9.0.0 under such a one."
            ),
        ),
        tables=(
            Table("A real libvirt", headings, rows, left=("subject", "domain", "task"), bad=bad),
            *_beside(value.panels),
        ),
    )


def _beside(panels: tuple[LivePanel, ...]) -> tuple[Table, ...]:
    """What looking up once buys in the reference and in libvirt, and the two costs that make the difference.

    A lookup's cost is the time that goes with all but one, by the number of these: D + 1 of 2 + D.
    """
    rows = []
    for panel in panels:
        curves = {key: dict(curve) for key, curve in panel.curves.items()}
        for subject in dict.fromkeys(subject for subject, _ in curves if subject != REFERENCE):
            own = [(curves.get((subject, policy), {})) for policy in (STOCK, _ONCE)]
            ours = [(curves.get((REFERENCE, policy), {})) for policy in (BASELINE, _ONCE)]
            for devices in sorted(own[0].keys() & own[1].keys() & ours[0].keys() & ours[1].keys()):
                (as_is, once), (naive, ours_once) = ([side[devices] for side in pair] for pair in (own, ours))
                rows.append(
                    (
                        *(f"{panel.scenario}, {subject}", str(devices)),
                        *(times(as_is / once), times(naive / ours_once)),
                        *(f"{once:.2f}", f"{ours_once:.2f}"),
                        *(f"{1e3 * (slow - quick) / (devices + 1):.0f}"
                          for slow, quick in ((as_is, once), (naive, ours_once))),
                    )
                )  # fmt: skip
    headings = (
        *("domain", "devices", "libvirt: times as fast", "reference"),
        *("libvirt: ms without", "reference", "libvirt: µs a lookup", "reference"),
    )
    title = "What looking up once buys under ctime, and what the rest of a define and a lookup cost"
    return (Table(title, headings, tuple(rows), left=("domain",)),) if rows else ()


def draw(value: Live, figure: Figure) -> None:
    """A panel a scenario, libvirt and the reference on the same axes."""
    if not value.panels:
        figure.set_size_inches(figure.get_figwidth(), 0.3)
        figure.text(0.0, 0.5, "no domain was measured at two sizes: there is no curve to draw", fontsize=8)
        return
    narrow = is_narrow(figure)
    columns = 1 if narrow else len(value.panels)
    entries = _entries(value)
    legend_columns = 1 if narrow else min(len(entries), 4)
    margins = Spacing(head=0.1 + 0.22 * -(-len(entries) // legend_columns), left=0.6)
    grid = panels(figure, len(value.panels) if narrow else 1, columns, 2.2, margins, sharey=True)
    legend(figure, entries, legend_columns)
    axes_of = [axes for row in grid for axes in row]
    ys = [y for panel in value.panels for curve in panel.curves.values() for _, y in curve]
    low, high = min(ys) / 1.3, max(ys) * 1.3
    marks = _marks(value)
    for number, (axes, panel) in enumerate(zip(axes_of, value.panels, strict=True)):
        _draw_panel(axes, panel, marks)
        axes.set_ylim(low, high)
        log_axis(axes.yaxis, low, high)
        if narrow or number == 0:
            axes.set_ylabel("ms a define")
        axes.set_xlabel("devices in the resulting domain")


def _marks(value: Live) -> dict[str, str]:
    """A mark for each libvirt, the same in every panel."""
    subjects = dict.fromkeys(subject for panel in value.panels for subject, _ in panel.curves)
    libvirts = [subject for subject in subjects if subject != REFERENCE]
    return {subject: _MARKS[number % len(_MARKS)] for number, subject in enumerate(libvirts)}


def _draw_panel(axes: Axes, panel: LivePanel, marks: dict[str, str]) -> None:
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_title(f"{panel.scenario}, ctime", fontsize=9)
    for (subject, policy), curve in panel.curves.items():
        xs, ys = zip(*curve, strict=True)
        if subject == REFERENCE:
            colour, marker, dashes = look(policy)
            axes.plot(xs, ys, color=colour, marker=marker, linestyle=dashes, linewidth=1.1)
        else:
            fill = INK if policy == _ONCE else "none"
            axes.plot(xs, ys, color=INK, marker=marks[subject], mfc=fill, linestyle="-", linewidth=0.8)
    counts = [x for curve in panel.curves.values() for x, _ in curve]
    ends = min(counts) / 1.2, max(counts) * 1.2
    axes.set_xlim(*ends)
    log_axis(axes.xaxis, *ends)


def _entries(value: Live) -> list[tuple[str, Line2D]]:
    keys = dict.fromkeys(key for panel in value.panels for key in panel.curves)
    marks, releases = _marks(value), {row.subject: row.release for row in value.rows}
    entries = []
    for subject, policy in keys:
        if subject == REFERENCE:
            entries.append((f"reference, {policy}", line_mark(policy)))
        else:
            fill = INK if policy == _ONCE else "none"
            words = "looking up once" if policy == _ONCE else "as it is"
            name = f"{subject.partition(':')[0]} {releases.get(subject, '')}".strip()
            entries.append((f"{name}, {words}", Line2D([], [], color=INK, marker=marks[subject], mfc=fill)))
    return entries


def _panels(sources: Sources) -> tuple[LivePanel, ...]:
    found: dict[str, dict[tuple[str, str], dict[int, float]]] = {}
    ours = [one for one in sources.reference.measured if one.cell.policy in (BASELINE, _ONCE)]
    theirs = [one for one in sources.results.measured if is_libvirt(one.cell.subject)]
    for one in (*ours, *theirs):
        cell = one.cell
        if (cell.task, cell.validity) == _TIMED:
            subject = cell.subject if is_libvirt(cell.subject) else REFERENCE
            curve = found.setdefault(cell.scenario, {}).setdefault((subject, cell.policy), {})
            curve[one.counts.devices] = _MILLI * median_seconds(one)
    made = [
        LivePanel(scenario, {key: tuple(sorted(points.items())) for key, points in curves.items()})
        for scenario, curves in found.items()
        if any(subject != REFERENCE for subject, _ in curves)
        and any(len(points) > 1 for points in curves.values())
    ]
    return tuple(made[:_MOST_PANELS])


def _texts(row: LiveRow) -> tuple[str, ...]:
    return (
        row.subject if row.release in row.subject else f"{row.subject} {row.release}",
        row.domain,
        row.task,
        str(row.devices),
        str(row.lookups),
        "-" if row.law is None else str(row.law),
        duration(row.seconds),
        "-" if row.seconds_once is None else duration(row.seconds_once),
        "-" if row.gain is None else times(row.gain.ratio),
        "-" if row.gain is None else sure_interval(row.gain),
    )


def _spoken(panel: LivePanel) -> str:
    lines = (
        f"{subject} {policy} {curve[0][1]:.2g} to {curve[-1][1]:.2g} ms"
        for (subject, policy), curve in panel.curves.items()
    )
    return f"{panel.scenario}: {', '.join(lines)}"
