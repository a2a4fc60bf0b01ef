"""What became of tasks while the QEMU binary was being replaced: torn, stale, undone, or consistent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from matplotlib.patches import Patch

from qcaps.report.section import Content, Table

from ._drawing import GREEN, GREY, ORANGE, PINK, SKY, VERMILION, Spacing, is_narrow, legend, panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from qcaps.measure.torn.torn_file import TornRow
    from qcaps.report.sources import Sources, TornSource

ORDER = 65
PART = "The reference"
HEADING = "Torn tasks"
MISSING = ""
_FIRST, _AGAIN = "consistent", "consistent after a retry"
_TORN, _TORN_REFUSED = "torn, committed", "torn, refused"
_STALE, _REFUSED, _UNDONE = "stale", "refused", "aborted"
_COLOURS = {
    _FIRST: GREEN,
    _AGAIN: SKY,
    _TORN: VERMILION,
    _TORN_REFUSED: VERMILION,
    _STALE: ORANGE,
    _REFUSED: PINK,
    _UNDONE: GREY,
}
_HATCH = {_TORN_REFUSED: "////"}
# The bars' colours are light enough for it, on a dark page too; so it does not follow the page's ink.
_ON_COLOUR = "#111111"
_LETTER = 0.068
"""Inches of a digit at the size the bars are labelled in."""


@dataclass(frozen=True)
class EndsBar:
    """One arm: how many tasks came to each end; their sum is `tasks`."""

    name: str
    tasks: int
    ends: dict[str, int]

    @property
    def torn(self) -> int:
        """Tasks that used two sets, refused or not."""
        return self.ends[_TORN] + self.ends[_TORN_REFUSED]


@dataclass(frozen=True)
class TornPanel:
    """Arms that saw the binary equally finely, in one file."""

    title: str
    whole_seconds: bool
    bars: tuple[EndsBar, ...]


@dataclass(frozen=True)
class TornFigure:
    """All files: panels to draw, and what they were drawn from."""

    panels: tuple[TornPanel, ...]
    files: tuple[TornSource, ...]


def data(sources: Sources) -> TornFigure | None:
    """Nanoseconds before whole seconds, file by file."""
    several = len(sources.torn) > 1
    found = tuple(
        TornPanel(_title(number if several else 0, whole), whole, tuple(map(_bar, rows)))
        for number, one in enumerate(sources.torn, 1)
        for whole in (False, True)
        if (rows := [row for row in one.found.rows if row.whole_seconds is whole and row.tasks])
    )
    return TornFigure(found, sources.torn) if found else None


def content(value: TornFigure) -> Content:
    """Who tore tasks, who committed stale ones, who did neither; what whole seconds let through."""
    notes = [
        (
            (f"File {number}, {file.name}: " if len(value.files) > 1 else "")
            + f"{one.scenario}/{one.n}, defined while a second process replaced the binary {one.swaps:,}"
            f" times, {one.mean_ms:g} ms apart in the mean; every second set of capabilities lacks"
            f" {', '.join(one.removed)}."
        )
        for number, file in enumerate(value.files, 1)
        for one in (file.found,)
    ]
    notes.append(
        "Torn: the task used two sets. Stale: it committed on a set that had been replaced before its commit"
        " began. Aborted: undone, nothing was committed."
    )
    if not any(row.refused for file in value.files for row in file.found.rows):
        notes.append("No task that used one set alone was refused.")
    first = value.panels[0]
    coarse = next((panel for panel in value.panels if panel.whole_seconds), None)
    if coarse is not None and coarse is not first:
        shares = [bar.ends[_STALE] / bar.tasks for bar in coarse.bars]
        notes.append(
            f"With libvirt's whole seconds {100 * min(shares):.0f} to {100 * max(shares):.0f} % of the tasks"
            " are stale whatever the policy: a second replacement within a second cannot be seen."
        )
    return Content(
        _finding(first),
        description="; ".join(
            f"{panel.title}, {bar.name}: "
            + ", ".join(f"{count} {end}" for end, count in bar.ends.items() if count)
            for panel in value.panels
            for bar in panel.bars
        ),
        notes=tuple(notes),
        tables=(_table(value.files),),
    )


def draw(value: TornFigure, figure: Figure) -> None:
    """A bar an arm, a panel a file and fineness; counts stand in the bars, or above for want of room."""
    ends = [end for end in _COLOURS if any(bar.ends[end] for panel in value.panels for bar in panel.bars)]
    columns = 2 if is_narrow(figure) else len(ends)
    head = 0.14 + 0.2 * -(-len(ends) // columns)
    most = max(len(panel.bars) for panel in value.panels)
    margins = Spacing(left=0.1, right=0.22, head=head, down=0.3)
    grid = panels(figure, len(value.panels), 1, 0.46 * most + 0.1, margins)
    legend(
        figure,
        [
            (end, Patch(facecolor=_COLOURS[end], hatch=_HATCH.get(end), edgecolor="white", lw=0))
            for end in ends
        ],
        columns,
    )
    for (axes,), panel in zip(grid, value.panels, strict=True):
        _draw_panel(axes, panel, most)
    grid[-1][0].set_xlabel("tasks")


def _draw_panel(axes: Axes, panel: TornPanel, most: int) -> None:
    axes.set_title(panel.title)
    axes.grid(visible=False, axis="y")
    longest = max(bar.tasks for bar in panel.bars)
    inches = axes.bbox.width / axes.figure.dpi
    for place, bar in enumerate(panel.bars):
        start, outside = 0, []
        for end, count in bar.ends.items():
            if not count:
                continue
            axes.barh(
                place,
                count,
                left=start,
                height=0.5,
                color=_COLOURS[end],
                hatch=_HATCH.get(end),
                edgecolor="white",
                lw=0,
            )
            words = f"{count:,}"
            if count / longest * inches > _LETTER * len(words) + 0.08:
                text = axes.text(
                    start + count / 2, place, words, va="center", ha="center", fontsize=8, color=_ON_COLOUR
                )
                if end in _HATCH:
                    text.set_bbox({"boxstyle": "round,pad=0.15", "facecolor": _COLOURS[end], "lw": 0})
            else:
                outside.append(f"{words} {end}")
            start += count
        # the sum of two parts of a bar cannot be read off it
        if bar.ends[_TORN] and bar.ends[_TORN_REFUSED]:
            outside = [f"{bar.torn:,} torn", *(words for words in outside if "torn" not in words)]
        axes.text(0, place - 0.29, bar.name, va="bottom", ha="left", fontsize=8.5, fontweight="bold")
        axes.text(bar.tasks, place - 0.29, ", ".join(outside), va="bottom", ha="right", fontsize=8)
    axes.set_yticks([])
    axes.set_ylim(most - 0.7, -0.72)
    axes.set_xlim(0, longest)
    axes.spines["left"].set_visible(False)


def _title(number: int, whole_seconds: bool) -> str:  # noqa: FBT001  # the value itself
    sees = "whole seconds, as by libvirt" if whole_seconds else "nanoseconds, inode and size"
    return f"File {number}: known by {sees}" if number else f"A binary is known by {sees}"


def _bar(row: TornRow) -> EndsBar:
    # A retried task that came through may be stale; only where none is, all that came through are consistent.
    again = row.retried if not row.stale and not row.torn else 0
    ends = {
        _FIRST: row.consistent - again,
        _AGAIN: again,
        _TORN: row.torn - row.torn_refused,
        _TORN_REFUSED: row.torn_refused,
        _STALE: row.stale,
        _REFUSED: row.refused,
        _UNDONE: row.aborted,
    }
    retries = f", {row.retries} retries" if row.retries else ""
    return EndsBar(row.policy + retries, row.tasks, ends)


def _finding(panel: TornPanel) -> str:
    """The arm that tore most, the first that tore none but was stale, the first that was neither."""
    worst = max(panel.bars, key=lambda bar: bar.torn / bar.tasks)
    parts = [
        f"'{worst.name}' tore {worst.torn:,} of {worst.tasks:,} tasks" if worst.torn else "No task was torn"
    ]
    whole = [bar for bar in panel.bars if not bar.torn]
    none = "none, but " if worst.torn else ""
    stale = next((bar for bar in whole if bar.ends[_STALE]), None)
    if stale is not None:
        parts.append(f"'{stale.name}' {none}{stale.ends[_STALE]:,} committed on stale capabilities")
    bar = next((bar for bar in whole if not bar.ends[_STALE]), None)
    if bar is not None:
        undone = f": it undid {bar.ends[_UNDONE]:,}" if bar.ends[_UNDONE] else ""
        parts.append(f"'{bar.name}' neither{undone}")
    return "; ".join(parts) + "."


def _table(files: tuple[TornSource, ...]) -> Table:
    headings = (
        *("policy", "tasks", "replaced", "consistent", "torn", "of it refused", "stale", "refused"),
        *("aborted", "retried", "late"),
    )
    rows = tuple(
        (
            row.name,
            *(f"{count:,}" for count in (row.tasks, row.swaps, row.consistent, row.torn, row.torn_refused)),
            *(f"{count:,}" for count in (row.stale, row.refused, row.aborted, row.retried, row.late)),
        )
        for file in files
        for row in file.found.rows
    )
    return Table(
        "Tasks of each arm. Retried: undone, run again, and came through. Late: the binary was replaced"
        " between the start of the commit and the rename, which no policy can prevent.",
        headings,
        rows,
        left=("policy",),
    )
