"""Draws the figure of a section: for the page in two widths, and as files that stand alone."""

from __future__ import annotations

import io
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qcaps.content import SHIPPED, ContentFolders
from qcaps.errors import visible
from qcaps.files import replacing
from qcaps.report.svg import for_page

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from matplotlib.figure import Figure
    from matplotlib.transforms import Bbox

    from qcaps.report.section import Section

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


def draw(
    section: Section, directory: Path, colours: Mapping[str, str], content: ContentFolders = SHIPPED
) -> Drawn:
    """Both widths for the page; and `<name>.svg` and `<name>.png`, with the finding above, on white.

    `colours` maps the style's colours to the page's CSS variables.
    """
    import matplotlib as mpl  # 0.3 s

    widths = []
    style = content.find_file("reports", STYLE)
    with mpl.rc_context({"text.parse_math": False, "text.usetex": False}, fname=style):
        for width, suffix in ((WIDE, "wide"), (NARROW, "narrow")):
            figure = _figure(section, width)
            name = f"{section.name.replace('_', '-')}-{suffix}"
            finding = visible(section.content.finding)
            words = finding, visible(section.content.description or section.heading)
            widths.append(for_page(_svg(figure), name, *words, colours))
            if width == WIDE:
                box = _write_head(figure, finding)
                files = tuple(
                    _save(figure, directory / f"{section.name}.{end}", box) for end in ("svg", "png")
                )
    wide, narrow = widths
    return Drawn(wide, narrow, files)


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


def _write_head(figure: Figure, finding: str) -> Bbox:
    """Above the drawing; the box, in inches, that holds both."""
    from matplotlib.transforms import Bbox

    width, height = figure.get_size_inches()
    lines = textwrap.wrap(finding, int(_LETTERS_AN_INCH * width))
    place = 0.1 / width, 1 + 0.12 / height
    figure.text(
        *place, "\n".join(lines), fontsize=_HEAD_SIZE, fontweight="bold", va="bottom", linespacing=1.25
    )
    head = 0.3 + len(lines) * _HEAD_SIZE * 1.3 / 72
    return Bbox.from_extents(-_PAD, -_PAD, width + _PAD, height + head)


def _save(figure: Figure, path: Path, box: Bbox) -> Path:
    # without a date, the same results give the same bytes
    metadata = {"Date": None} if path.suffix == ".svg" else None
    made = io.BytesIO()
    figure.savefig(made, format=path.suffix[1:], metadata=metadata, bbox_inches=box)
    with replacing(path) as file:
        file.write(_shown(made.getvalue()) if path.suffix == ".svg" else made.getvalue())
    return path
