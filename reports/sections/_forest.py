"""Ratios with their intervals, one below the other, coloured by what they say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from ._drawing import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    PALE,
    RED,
    Spacing,
    hover,
    is_narrow,
    legend,
    log_axis,
    panels,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TOO_FEW = "too few pairs"
"""Of a comparison without an interval: nothing is said of it."""
COLOURS = {
    "faster": (GREEN, "D"),
    "no different": (BLUE, "s"),
    "slower": (RED, "X"),
    "undecided": (ORANGE, "o"),
    TOO_FEW: (GREY, "o"),
    "PASS": (BLUE, "s"),
    "IMPROVED": (GREEN, "D"),
    "FAIL": (RED, "X"),
    "APART": (GREY, "o"),
    "INCONCLUSIVE": (ORANGE, "o"),
    "NOISY HOST": (GREY, "v"),
}


@dataclass(frozen=True)
class ForestRow:
    """One comparison. `name` has two parts, so that a narrow figure can put one below the other."""

    name: tuple[str, str]
    verdict: str
    ratio: float
    low: float
    high: float
    told: str = ""


def draw_rows(rows: tuple[ForestRow, ...], margin: float, axis: str, figure: Figure) -> None:
    """The rows from above; a band around 1 for the margin."""
    narrow = is_narrow(figure)
    names = [
        "\n".join(filter(None, row.name)) if narrow else ", ".join(filter(None, row.name)) for row in rows
    ]
    letters = max(len(line) for name in names for line in name.splitlines())
    found = list(dict.fromkeys(row.verdict for row in rows))
    entries: list[tuple[str, Line2D | Patch]] = [
        (name, Line2D([], [], color=COLOURS[name][0], marker=COLOURS[name][1])) for name in found
    ]
    entries.append((f"within {100 * margin:g} %", Patch(facecolor=PALE, alpha=0.6)))
    columns = 2 if narrow else len(entries)
    margins = Spacing(
        left=min(0.077 * letters + 0.1, 2.1 if narrow else 3.6),
        right=0.3,
        title=0.0,
        head=0.15 + 0.2 * -(-len(entries) // columns),
        bottom=0.48,
    )
    height = max((0.34 if narrow else 0.2) * len(rows), 0.5)
    ((axes,),) = panels(figure, 1, 1, height, margins)
    legend(figure, entries, columns)
    axes.set_xscale("log")
    axes.axvspan(1 / (1 + margin), 1 + margin, color=PALE, alpha=0.6, linewidth=0)
    axes.axvline(1, color=INK, linewidth=0.8)
    for place, row in enumerate(rows):
        colour, marker = COLOURS[row.verdict]
        few = row.verdict == TOO_FEW
        if not few:
            axes.hlines(place, row.low, row.high, color=colour, linewidth=1.5)
        mark = axes.plot(
            [row.ratio], [place], marker=marker, color=colour, markersize=4.5, mfc="none" if few else colour
        )
        hover(mark, [f"{', '.join(filter(None, row.name))}: {row.told or f'{row.ratio:.3f}'}, {row.verdict}"])
    ends = [(row.ratio, row.ratio) if row.verdict == TOO_FEW else (row.low, row.high) for row in rows]
    low = min(0.97, *(end for end, _ in ends)) / 1.03
    high = max(1.03, *(end for _, end in ends)) * 1.03
    axes.set_xlim(low, high)
    log_axis(axes.xaxis, low, high)
    axes.set_yticks(range(len(rows)), names, fontsize=8)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel(axis, x=1 if narrow else 0.5, ha="right" if narrow else "center")
