"""What the figures share: panels, the look of each policy, axes over device counts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from matplotlib.artist import Artist
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

from qcaps.errors import visible
from qcaps.lookups.policy import STOCK_OF
from qcaps.report.svg import HOVER

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

# The colours of style.mplstyle and templates/report.css, by what they are for.
INK, QUIET, GRID, PALE, GREY, RED = "#1f2328", "#59636e", "#dfe3e8", "#c9ced4", "#7a828c", "#b3261e"
BLUE, VERMILION, GREEN, PINK = "#0072b2", "#d55e00", "#009e73", "#cc79a7"
ORANGE, SKY = "#e69f00", "#56b4e9"
NARROW_BELOW = 5.0
"""Inches: a narrower figure has one panel a row."""


class Look(NamedTuple):
    """How a policy is drawn, in every figure alike."""

    colour: str
    marker: str
    dashes: Literal["-", "--", ":"] = "-"


LOOKS = {
    "naive": Look(VERMILION, "o"),
    "per-callback": Look(PINK, "P", "--"),
    "stock": Look(ORANGE, "X", "--"),
    "series": Look(BLUE, "s"),
    "once": Look(GREEN, "D"),
    "once-abort": Look(PINK, "^", "--"),
    "oracle": Look(GREY, "v", ":"),
}
_OTHERS = (Look(SKY, "P"), Look(ORANGE, "X"), Look(INK, "*"), Look(PINK, "h"))


def look(policy: str) -> Look:
    """The look of a policy; of one not known here, always the same one."""
    return (
        LOOKS.get("stock" if policy in STOCK_OF else policy) or _OTHERS[sum(policy.encode()) % len(_OTHERS)]
    )


def is_narrow(figure: Figure) -> bool:
    """Whether the figure is for a phone."""
    return bool(figure.get_figwidth() < NARROW_BELOW)


class Spacing(NamedTuple):
    """Inches around and between panels; `head` is room for a legend above them."""

    left: float = 0.62
    right: float = 0.15
    bottom: float = 0.5
    head: float = 0.32
    title: float = 0.26
    across: float = 0.5
    down: float = 0.42


def panels(
    figure: Figure,
    rows: int,
    columns: int,
    height: float,
    margins: Spacing | None = None,
    **options: Any,  # noqa: ANN401  # those of matplotlib's subplots
) -> list[list[Axes]]:
    """A grid of panels of that height each, in a figure of the width it has; the figure's height follows."""
    chosen = margins or Spacing()
    width = figure.get_figwidth()
    inner = rows * height + (rows - 1) * (chosen.down + chosen.title)
    whole = chosen.head + chosen.title + inner + chosen.bottom
    figure.set_size_inches(width, whole)
    figure.subplots_adjust(
        left=chosen.left / width,
        right=1 - chosen.right / width,
        bottom=chosen.bottom / whole,
        top=1 - (chosen.head + chosen.title) / whole,
        wspace=chosen.across
        / ((width - chosen.left - chosen.right - (columns - 1) * chosen.across) / columns),
        hspace=(chosen.down + chosen.title) / height,
    )
    made = figure.subplots(rows, columns, squeeze=False, **options)
    return [list(row) for row in made]


def legend(figure: Figure, entries: Iterable[tuple[str, Any]], columns: int | None = None) -> None:
    """A line of names and marks along the top edge."""
    names, handles = zip(*entries, strict=True)
    figure.legend(
        handles,
        names,
        loc="upper left",
        bbox_to_anchor=(0.0, 1.0),
        ncols=columns or len(names),
        borderaxespad=0.1,
        borderpad=0.2,
        columnspacing=1.3,
        handletextpad=0.5,
        handlelength=1.7,
    )


def hover(artist: Artist | Iterable[Artist], told: Sequence[str]) -> None:
    """What each mark of an artist says when pointed at; of a bar's, the same for all its parts."""
    for one in [artist] if isinstance(artist, Artist) else artist:
        one.set_gid(HOVER + json.dumps([visible(text) for text in told]))


def line_mark(policy: str) -> Line2D:
    """A policy's line, for a legend."""
    colour, marker, dashes = look(policy)
    return Line2D([], [], color=colour, marker=marker, linestyle=dashes)


_TICKS: tuple[tuple[float, tuple[float, ...]], ...] = (
    (4, (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8)),
    (300, (1, 2, 5)),
    (float("inf"), (1,)),
)
"""Below which ratio of the ends, which multiples of a power of ten."""


def log_axis(axis: Axis, low: float, high: float) -> None:
    """Plain numbers, as many to a power of ten as there is room for."""
    axis.set_major_locator(LogLocator(subs=next(subs for span, subs in _TICKS if high / low < span)))
    axis.set_major_formatter(FuncFormatter(lambda value, _position: f"{value:g}"))
    axis.set_minor_locator(NullLocator())
    axis.set_minor_formatter(NullFormatter())
