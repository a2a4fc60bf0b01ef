"""The reference beside real libvirt: where its ratios are within 25 %, and which cost differs elsewhere."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from qcaps.report.section import Content, Table
from qcaps.report.spans import trace_of
from qcaps.report.summary import median_seconds, ratio_of

from ._drawing import BLUE, INK, PALE, Spacing, hover, is_narrow, legend, log_axis, panels
from ._real import real
from ._words import paired, times, too_few

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from qcaps.measure.results.results_file import Measured
    from qcaps.report.sources import Sources

    from ._real import SeriesPoint

ORDER = 72
PART = "History"
HEADING = "Beside libvirt 4.0.0, which forked"
MISSING = (
    "none of the domains that libvirt 4.0.0 was timed with was measured with 'naive' and 'series' under"
    " 'fork': qcaps run reference"
)
BAND = 0.25
_MICRO = 1e6
_TINY = 1e-9
_BEFORE, _AFTER = "naive", "series"


@dataclass(frozen=True)
class Costs:
    """Microseconds: of one lookup, of the fsync of one define, of all else in it."""

    lookup: float
    fsync: float
    work: float

    def ratio(self, before: int, after: int) -> float:
        """The time with `before` lookups over the time with `after`."""
        rest = self.fsync + self.work
        return (rest + before * self.lookup) / (rest + after * self.lookup)


@dataclass(frozen=True)
class RealRow:
    """One domain. `cause` names the cost that, were it libvirt's, brings the ratio nearest; "" within."""

    domain: str
    devices: int
    real_devices: int
    ratio: float
    low: float
    high: float
    pairs: int
    theirs: float
    our_costs: Costs
    their_costs: Costs
    fork_share: float | None
    cause: str

    @property
    def off(self) -> float:
        """Our ratio over theirs."""
        return self.ratio / self.theirs

    @property
    def within(self) -> bool:
        """Whether ours is within the band of theirs."""
        return abs(self.off - 1) <= BAND


@dataclass(frozen=True)
class RealSeries:
    """All domains that both were measured with."""

    release: str
    source: str
    rows: tuple[RealRow, ...]


def data(sources: Sources) -> RealSeries | None:
    """Every real point whose domain the reference was measured with, each by its own n."""
    known = real()
    measured = {
        (cell.scenario, cell.n): arms
        for cell, arms in sources.reference.by_comparison().items()
        if (cell.task, cell.validity) == (known.task, known.validity) and {_BEFORE, _AFTER} <= arms.keys()
    }
    rows = []
    for point in known.points:
        arms = measured.get((point.scenario, point.n))
        row = _row(point, arms, known.fsync_us, known.lookups_after) if arms else None
        if row is not None:
            rows.append(row)
    return RealSeries(known.release, known.source, tuple(rows)) if rows else None


def content(value: RealSeries) -> Content:
    """How many domains are within the band, and what puts the others outside."""
    within = [row for row in value.rows if row.within]
    finding = (
        f"History: {len(within)} of {len(value.rows)} ratios of the reference under 'fork' are within"
        f" {100 * BAND:.0f} % of libvirt {value.release}'s"
    )
    outside = [row for row in value.rows if not row.within]
    if outside:
        causes = dict.fromkeys(row.cause for row in outside)
        named = "; ".join(
            f"{', '.join(row.domain for row in outside if row.cause == cause)}: {cause}" for cause in causes
        )
        finding += f"; outside: {named}"
    headings = (
        "domain",
        "devices: here",
        "there",
        "ratio here [95 %]",
        "there",
        "here / there",
        "a lookup (µs): here",
        "there",
        "fsync (µs): here",
        "there",
        "all else (µs): here",
        "there",
        "what differs",
    )
    rows = tuple(
        (
            row.domain,
            str(row.devices),
            str(row.real_devices),
            paired(row),
            times(row.theirs),
            f"{row.off:.2f}",
            f"{row.our_costs.lookup:.0f}",
            f"{row.their_costs.lookup:.0f}",
            f"{row.our_costs.fsync:.0f}",
            f"{row.their_costs.fsync:.0f}",
            f"{row.our_costs.work:.0f}",
            f"{row.their_costs.work:.0f}",
            row.cause or "within the band",
        )
        for row in value.rows
    )
    forks = [row.fork_share for row in value.rows if row.fork_share is not None]
    notes = [
        f"There: {value.source}.",
        (
            "A lookup costs what the two policies differ by, divided by the lookups they differ by; fsync"
            " is that of one small file; all else is what remains. For a ratio outside the band, each of"
            " libvirt's three costs is put in place of ours in turn, and the one that brings the ratio"
            " nearest is named."
        ),
    ]
    if forks:
        notes.append(
            f"Here the fork is {100 * sum(forks) / len(forks):.0f} % of a lookup, by the spans of the runs."
        )
    return Content(
        finding + ".",
        description="; ".join(
            f"{row.domain}: {times(row.ratio)} here, {times(row.theirs)} there" for row in value.rows
        ),
        notes=tuple(notes),
        tables=(Table("Costs here and there", headings, rows, left=("domain", "what differs")),),
    )


def draw(value: RealSeries, figure: Figure) -> None:
    """A row a domain: ours with its interval, theirs with its band."""
    narrow = is_narrow(figure)
    entries = [
        ("reference, 95 %", Line2D([], [], color=BLUE, marker="s")),
        (f"libvirt {value.release}", Line2D([], [], color=INK, marker="*", markersize=7, linestyle="")),
        (f"±{100 * BAND:.0f} %", Patch(facecolor=PALE)),
    ]
    columns = 2 if narrow else 3
    margins = Spacing(left=1.3, head=0.15 + 0.2 * -(-len(entries) // columns), title=0.0)
    ((axes,),) = panels(figure, 1, 1, 0.3 * len(value.rows) + 0.1, margins)
    legend(figure, entries, columns)
    axes.set_xscale("log")
    for place, row in enumerate(value.rows):
        axes.barh(
            place, 2 * BAND * row.theirs, left=(1 - BAND) * row.theirs, height=0.55, color=PALE, linewidth=0
        )
        axes.plot([row.theirs], [place], marker="*", color=INK, markersize=8, markeredgewidth=0)
        if not too_few(row):
            axes.hlines(place, row.low, row.high, color=BLUE)
        mark = axes.plot([row.ratio], [place], marker="s", color=BLUE, markersize=4.5)
        hover(mark, [f"{row.domain}: {paired(row)} here, {times(row.theirs)} there"])
    ends = [
        end
        for row in value.rows
        for end in (row.low, row.high, row.theirs * (1 - BAND), row.theirs * (1 + BAND))
    ]
    axes.set_xlim(min(ends) / 1.1, max(ends) * 1.1)
    log_axis(axes.xaxis, min(ends) / 1.1, max(ends) * 1.1)
    axes.set_yticks(range(len(value.rows)), [row.domain for row in value.rows])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(value.rows) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("times as fast with the series")


def _row(point: SeriesPoint, arms: dict[str, Measured], fsync: float, after: int) -> RealRow | None:
    found = ratio_of(arms[_BEFORE], arms[_AFTER])
    if found is None:
        return None
    ours = _our_costs(arms)
    theirs = _their_costs(point, fsync, after)
    counts = arms[_BEFORE].counts.lookups, arms[_AFTER].counts.lookups
    trace = trace_of(arms[_BEFORE])
    asking = trace.parts.get("lookups", 0.0) + trace.parts.get("forks", 0.0) if trace else 0.0
    outside = abs(found.ratio / point.ratio - 1) > BAND
    return RealRow(
        domain=point.domain,
        devices=arms[_BEFORE].counts.devices,
        real_devices=point.devices,
        ratio=found.ratio,
        low=found.low,
        high=found.high,
        pairs=found.pairs,
        theirs=point.ratio,
        our_costs=ours,
        their_costs=theirs,
        fork_share=trace.parts.get("forks", 0.0) / asking if trace and asking else None,
        cause=_cause(ours, theirs, counts, point.ratio) if outside else "",
    )


def _our_costs(arms: dict[str, Measured]) -> Costs:
    before, after = arms[_BEFORE], arms[_AFTER]
    slow, quick = _MICRO * median_seconds(before), _MICRO * median_seconds(after)
    lookup = (slow - quick) / (before.counts.lookups - after.counts.lookups)
    fsync = float(after.runs[0].facts.get("fsync_us", 0.0))
    return Costs(lookup, fsync, max(quick - after.counts.lookups * lookup - fsync, 0.0))


def _their_costs(point: SeriesPoint, fsync: float, after: int) -> Costs:
    lookup = (point.before_us - point.after_us) / (2 + point.devices - after)
    return Costs(lookup, fsync, max(point.after_us - after * lookup - fsync, 0.0))


def _cause(ours: Costs, theirs: Costs, counts: tuple[int, int], wanted: float) -> str:
    """Which of libvirt's costs, in place of ours, brings our ratio nearest to the one wanted."""
    swapped = {
        f"a lookup with its fork costs {_more(ours.lookup, theirs.lookup)}": Costs(
            theirs.lookup, ours.fsync, ours.work
        ),
        f"an fsync costs {_more(ours.fsync, theirs.fsync)}": Costs(ours.lookup, theirs.fsync, ours.work),
        f"work on the domain and its devices costs {_more(ours.work, theirs.work)}": Costs(
            ours.lookup, ours.fsync, theirs.work
        ),
    }
    return min(swapped, key=lambda name: abs(math.log(max(swapped[name].ratio(*counts), _TINY) / wanted)))


def _more(ours: float, theirs: float) -> str:
    if ours <= 0 or theirs <= 0:
        return "nothing on one side"
    return (
        f"{times(ours / theirs)} times libvirt's"
        if ours >= theirs
        else f"{times(theirs / ours)} times less here"
    )
