"""What the figures share: axes over device counts, labels at the ends of lines."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, NamedTuple

from matplotlib import rcParams
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

MARKERS = "osD^vPX"
_LINE_HEIGHT = 1.3
_BOLD_LETTERS_AN_INCH = 11.0
_TICKS: tuple[tuple[float, tuple[float, ...]], ...] = (
    (4, (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8)),
    (300, (1, 2, 5)),
    (float("inf"), (1,)),
)
"""Below which ratio of the ends, which multiples of a power of ten."""


class Label(NamedTuple):
    """Words for the end of a line at (x, y), in the line's colour."""

    text: str
    x: float
    y: float
    colour: str


def colours() -> list[str]:
    """The style's colours, in order."""
    return [entry["color"] for entry in rcParams["axes.prop_cycle"]]


def write_head(figure: Figure, finding: str, note: str) -> float:
    """The finding in bold, broken to the figure's width, and a note below; returns the inches they take."""
    width, height = figure.get_size_inches()
    lines = textwrap.wrap(finding, int(_BOLD_LETTERS_AN_INCH * width))
    down = 0.12
    for text, size, weight in (("\n".join(lines), 11, "bold"), (note, 8.5, "normal")):
        figure.text(
            0.12 / width, 1 - down / height, text, fontsize=size, fontweight=weight, va="top", linespacing=1.2
        )
        down += 0.07 + size * 1.3 / 72 * (text.count("\n") + 1)
    return down


def log_axis(axis: Axis, low: float, high: float) -> None:
    """Plain numbers, as many to a power of ten as there is room for."""
    axis.set_major_locator(LogLocator(subs=next(subs for span, subs in _TICKS if high / low < span)))
    axis.set_major_formatter(FuncFormatter(lambda value, _position: f"{value:g}"))
    axis.set_minor_locator(NullLocator())
    axis.set_minor_formatter(NullFormatter())


def label_ends(axes: Axes, labels: Iterable[Label]) -> None:
    """Write each label to the right of the axes, level with its line's end but clear of the others.

    Call it once limits and layout are final: positions are computed from them.
    """
    chosen = sorted(labels, key=lambda label: label.y)
    if not chosen:
        return
    figure = axes.get_figure()
    assert figure is not None
    height = _LINE_HEIGHT * 8 / 72 * figure.dpi
    wanted = {label: axes.transData.transform((label.x, label.y))[1] for label in chosen}
    lines = [label for label in chosen for _ in label.text.splitlines()]
    box = axes.get_window_extent()
    places = spread([wanted[label] for label in lines], height, box.y0, box.y1)
    for label in chosen:
        own = [place for line, place in zip(lines, places, strict=True) if line is label]
        place = sum(own) / len(own)
        axes.annotate(
            label.text,
            xy=(label.x, label.y),
            xytext=(1.03, (place - box.y0) / box.height),
            textcoords="axes fraction",
            color=label.colour,
            fontsize=8,
            va="center",
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": label.colour, "lw": 0.6, "alpha": 0.5, "shrinkB": 3},
        )


def spread(wanted: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Ascending positions moved apart to `gap`, as near to where they were as that allows."""
    groups: list[list[float]] = []  # sum of the members' wishes for the first member, members
    for wish in wanted:
        groups.append([wish, 1])
        while len(groups) > 1 and _start(groups[-2]) + gap * groups[-2][1] > _start(groups[-1]):
            total, members = groups.pop()
            before = groups[-1]
            before[0] += total - members * gap * before[1]
            before[1] += members
    placed = [_start(group) + gap * member for group in groups for member in range(int(group[1]))]
    over = max(0.0, placed[-1] - high) if placed else 0.0
    return [max(place - over, low + gap * rank) for rank, place in enumerate(placed)]


def _start(group: list[float]) -> float:
    return group[0] / group[1]
