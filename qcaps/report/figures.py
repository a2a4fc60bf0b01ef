"""Draws the figure of a section: for the page in two widths, and as files that stand alone."""

from __future__ import annotations

import io
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qcaps.content import SHIPPED, ContentFolders
from qcaps.errors import visible
from qcaps.files import replacing
from qcaps.report.svg import for_page, standing_alone

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.figure import Figure
    from matplotlib.transforms import Bbox

    from qcaps.report.section import Section
    from qcaps.report.svg import PageLook

STYLE = "style.mplstyle"
WIDE, NARROW = 8.4, 3.8
"""Inches. A drawing narrower than `NARROW_BELOW` puts its panels below each other."""
NARROW_BELOW = 5.0
_LETTERS_AN_INCH = 10.4
_HEAD_SIZE = 11.0
_PAD = 0.08


@dataclass(frozen=True)
class Drawn:
    """A figure as SVG elements for a page, and the files it was written to."""

    wide: str
    narrow: str
    files: tuple[Path, ...]


def draw(section: Section, directory: Path, look: PageLook, content: ContentFolders = SHIPPED) -> Drawn:
    """Both widths for the page; and `<name>.svg` and `<name>.png`, with the finding above, on white."""
    import matplotlib as mpl  # 0.3 s

    style = content.find_file("reports", STYLE)
    finding = visible(section.content.finding)
    words = finding, visible(section.content.description or section.heading)
    name = section.name.replace("_", "-")
    with mpl.rc_context({"text.parse_math": False, "text.usetex": False}, fname=style):
        narrow = _svg(_figure(section, NARROW))
        figure = _figure(section, WIDE)
        wide = _svg(figure)
        files = _write(figure, wide, finding, directory / section.name)
    return Drawn(
        for_page(wide, f"{name}-wide", *words, look),
        for_page(narrow, f"{name}-narrow", *words, look),
        files,
    )


def _figure(section: Section, width: float) -> Figure:
    # pyplot takes 0.3 s to import, and a figure needs none
    from matplotlib.figure import Figure
    from matplotlib.text import Text

    figure = Figure(figsize=(width, 4))
    section.draw(section.value, figure)
    for text in figure.findobj(Text):
        text.set_text(visible(text.get_text()))
    return figure


def _svg(figure: Figure) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    return _shown(file.getvalue())


def _shown(svg: bytes) -> bytes:
    """The drawing with what XML cannot hold spelt: matplotlib writes names as they are."""
    return visible(svg.decode()).encode()


def _write(figure: Figure, svg: bytes, finding: str, stem: Path) -> tuple[Path, ...]:
    """The figure as files that stand alone, the finding above it."""
    width, height = figure.get_size_inches()
    lines = textwrap.wrap(finding, int(_LETTERS_AN_INCH * width))
    head = 0.3 + len(lines) * _HEAD_SIZE * 1.3 / 72
    files = stem.with_suffix(".svg"), stem.with_suffix(".png")
    with replacing(files[0]) as file:
        file.write(standing_alone(svg, lines, _HEAD_SIZE, head * 72))
    figure.text(
        *(0.1 / width, 1 + 0.12 / height), "\n".join(lines),
        fontsize=_HEAD_SIZE, fontweight="bold", va="bottom", linespacing=1.25,
    )  # fmt: skip
    made = io.BytesIO()
    figure.savefig(made, format="png", bbox_inches=_box(width, height + head))
    with replacing(files[1]) as file:
        file.write(made.getvalue())
    return files


def _box(width: float, height: float) -> Bbox:
    """All of it, in inches, and a little more."""
    from matplotlib.transforms import Bbox

    return Bbox.from_extents(-_PAD, -_PAD, width + _PAD, height)
