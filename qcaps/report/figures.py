"""Figures: modules in `reports/` that draw from results, found by path and never measuring.

A figure module declares

    def data(results: Results) -> value or None     what is drawn, computed; None if there is nothing to draw
    def draw(value, figure: Figure) -> None         the drawing; its title says the finding

The shared look is `reports/style.mplstyle`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qcaps import content
from qcaps.errors import QcapsError

if TYPE_CHECKING:
    from pathlib import Path

    from qcaps.measure.results import Results

FORMATS = ("png", "svg")


def draw_all(results: Results, directory: Path, extra: Path | None = None) -> tuple[Path, ...]:
    """Draw every figure the results have something for; the files written, `<module>.png` and `.svg`."""
    written: list[Path] = []
    for name in content.files("reports", extra):
        module = content.load("reports", name, extra)
        if not (hasattr(module, "data") and hasattr(module, "draw")):
            continue
        value = module.data(results)
        if value is not None:
            written += _render(module, value, directory / name, extra)
    return tuple(written)


def _render(module: Any, value: Any, stem: Path, extra: Path | None) -> list[Path]:  # noqa: ANN401  # by path
    # matplotlib takes 0.3 s to import, and pyplot as long again: a figure needs no pyplot
    import matplotlib as mpl  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    files = []
    with mpl.rc_context(fname=content.find_file("reports", "style.mplstyle", extra)):
        figure = Figure()
        module.draw(value, figure)
        for suffix in FORMATS:
            path = stem.with_name(f"{stem.name}.{suffix}")
            try:
                # without a date, the same results give the same bytes
                figure.savefig(path, metadata={"Date": None} if suffix == "svg" else None)
            except OSError as error:
                raise QcapsError(f"{path}: cannot be written: {error.strerror or error}") from error
            files.append(path)
    return files
