"""Figures: the data apart from the drawing, and a drawing whose words can be read."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from qcaps import content
from qcaps.measure.cell import grid
from qcaps.measure.results import Measured, Results, Run
from qcaps.measure.subject import Counts
from qcaps.report import figures

if TYPE_CHECKING:
    from pathlib import Path

    from qcaps.measure.cell import Cell

NAMES = ("speedup_by_devices", "time_by_devices")
POLICIES = ("naive", "series", "once", "once-abort", "oracle")


def measured(cell: Cell) -> Measured:
    """Under `fork` a lookup costs 0.5 ms and else 20 µs, the rest of a device 30 µs."""
    devices = cell.n + 9
    lookups = {"naive": devices + 2, "series": 2, "oracle": 0}.get(cell.policy, 1)
    seconds = devices * 30e-6 + lookups * (500e-6 if cell.validity == "fork" else 20e-6)
    blocks = tuple((seconds * (1 + step / 200),) for step in range(8))
    return Measured(cell, Counts(devices, lookups, lookups, 0, 0), (Run(0, blocks, (), {}),))


def results(*scenarios: str, ns: tuple[int, ...] = (1, 8, 64)) -> Results:
    cells = grid(scenarios, ns, ("define",), ("fork", "ctime"), POLICIES)
    return Results(tuple(map(measured, cells)))


MANY = results("disks", "channels", "serials", "s390x-ccw")


def module(name: str) -> Any:
    return content.load("reports", name)


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_becomes_a_png_and_an_svg(name: str, tmp_path: Path) -> None:
    drawn = figures.draw_all(MANY, tmp_path)
    assert tmp_path / f"{name}.png" in drawn
    assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    assert "devices in the resulting domain" in (tmp_path / f"{name}.svg").read_text()


def test_the_speedup_is_that_of_once_by_device_count() -> None:
    drawing = module("speedup_by_devices").data(MANY)
    assert (drawing.policy, drawing.baseline, list(drawing.panels)) == ("once", "naive", ["fork", "ctime"])
    points = drawing.panels["fork"][0].points
    assert [point.devices for point in points] == [10, 17, 73]
    assert points[-1].ratio == pytest.approx((73 * 30 + 75 * 500) / (73 * 30 + 500))
    assert f"up to {points[-1].ratio:.0f} times as fast as 'naive' under 'fork'" in drawing.title


def test_the_times_are_those_of_every_policy() -> None:
    drawing = module("time_by_devices").data(MANY)
    assert drawing.policies == POLICIES
    line = drawing.lines["ctime", "disks", "oracle"]
    assert [point.devices for point in line] == [10, 17, 73]
    assert line[0].middle == pytest.approx(0.3 * (1 + 3.5 / 200))
    assert "define of 73 devices" in drawing.title


def test_nothing_to_draw_draws_nothing(tmp_path: Path) -> None:
    one = Results(results("disks", ns=(4,)).measured[:1])
    assert module("speedup_by_devices").data(one) is None
    assert module("time_by_devices").data(one) is None
    assert figures.draw_all(one, tmp_path) == ()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shown", [MANY, results("disks"), results("disks", ns=(4, 5))])
def test_no_words_touch_or_leave_the_figure(name: str, shown: Results) -> None:
    with mpl.rc_context(fname=content.find_file("reports", "style.mplstyle")):
        figure = Figure()
        module(name).draw(module(name).data(shown), figure)
        figure.draw_without_rendering()
        whole = figure.bbox
        for axes in figure.axes:
            words: list[Text] = [text for text in axes.texts if text.get_text()]
            words += [text for text in axes.get_xticklabels() if _is_visible(axes.get_xlim(), text, 0)]
            boxes = [(text.get_text(), text.get_window_extent()) for text in words]
            assert len(boxes) >= 2
            for word, box in boxes:
                assert whole.x0 <= box.x0 <= box.x1 <= whole.x1, word
            for (one, first), (other, second) in itertools.combinations(_labels_only(axes), 2):
                assert not first.overlaps(second), f"{one} and {other}"
        for text in figure.texts:
            assert text.get_window_extent().x1 <= whole.x1, text.get_text()


def _labels_only(axes: Any) -> list[tuple[str, Any]]:
    """Bounding boxes of the labels' text alone; an annotation's own box takes in its leader line."""
    return [(text.get_text(), Text.get_window_extent(text)) for text in axes.texts]


def _is_visible(limits: tuple[float, float], text: Any, axis: int) -> bool:
    return bool(text.get_text()) and limits[0] <= text.get_position()[axis] <= limits[1]


def test_labels_are_moved_apart_and_no_further() -> None:
    spread = content.load("reports", "speedup_by_devices").label_ends.__globals__["spread"]
    assert spread([10, 50, 90], 10, 0, 100) == [10, 50, 90]
    assert spread([50, 50, 50], 10, 0, 100) == [40, 50, 60]
    assert spread([2, 3, 99, 99.5], 10, 0, 100) == pytest.approx([0, 10, 90, 100])
