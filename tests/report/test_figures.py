"""Every figure, in both widths: words can be read, nothing leaves the figure."""

from __future__ import annotations

import itertools
from functools import cache
from typing import Any

import matplotlib as mpl
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from qcaps import content
from qcaps.report import figures
from tests.support import reporting

NAMES = (
    *("timeline", "speedup_by_devices", "real_libvirt", "time_by_devices", "where_time_goes", "ladder"),
    *("policy_by_validity", "forest", "run_order", "files"),
)
FULL = reporting.full()
FEW = reporting.grown("disks@pc", ns=(4, 5))


@cache
def sources(which: str) -> Any:
    return {
        "full": reporting.sources(FULL, FULL),
        "few": reporting.sources(FEW, FEW),
    }[which]


@pytest.mark.parametrize("width", [figures.WIDE, figures.NARROW])
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("which", ["full", "few"])
def test_no_words_touch_or_leave_the_figure(name: str, which: str, width: float) -> None:
    module = reporting.module(name)
    value = module.data(sources(which))
    if value is None:
        assert which == "few"
        assert name in ("ladder", "real_libvirt")
        return
    with mpl.rc_context(fname=content.SHIPPED.find_file("reports", "style.mplstyle")):
        figure = Figure(figsize=(width, 4))
        module.draw(value, figure)
        figure.draw_without_rendering()
        assert figure.get_figwidth() == width
        whole = figure.bbox
        words = [text for text in _words(figure) if text.get_text().strip()]
        assert len(words) > 3
        boxes = [(text.get_text(), Text.get_window_extent(text)) for text in words]
        for word, box in boxes:
            assert whole.x0 - 1 <= box.x0 <= box.x1 <= whole.x1 + 1, f"{word!r} is cut at a side"
            assert whole.y0 - 1 <= box.y0 <= box.y1 <= whole.y1 + 1, f"{word!r} is cut above or below"
        for (one, first), (other, second) in itertools.combinations(boxes, 2):
            assert not _overlap(first, second), f"{one!r} and {other!r}"


def _words(figure: Any) -> list[Any]:
    found = list(figure.texts)
    for axes in figure.axes:
        if not axes.get_visible():
            continue
        found += [axes.title, axes._left_title, axes.xaxis.label, axes.yaxis.label, *axes.texts]
        for axis, limits in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_ylim())):
            low, high = sorted(limits)
            found += [
                tick.label1
                for tick in axis.get_major_ticks()
                if low <= tick.get_loc() <= high and tick.label1.get_visible()
            ]
    for legend in figure.legends:
        found += legend.get_texts()
    return found


def _overlap(one: Any, other: Any) -> bool:
    """By more than two pixels each way: boxes of letters have some air."""
    across = min(one.x1, other.x1) - max(one.x0, other.x0)
    down = min(one.y1, other.y1) - max(one.y0, other.y0)
    return bool(across > 2 and down > 2)
