"""The section on torn tasks: its counts are the file's, its figure shows each of them, its words say them."""

from __future__ import annotations

import itertools
import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import pytest
from matplotlib.figure import Figure

from qcaps import content
from qcaps.commands import main
from qcaps.measure.torn import torn_file as tornfile
from qcaps.report import figures, sources
from tests.support import reporting

if TYPE_CHECKING:
    from pathlib import Path

FULL = content.SHIPPED.find_file("reports", "reference/torn.json")
ROWS = tornfile.read(FULL).rows
MODULE = reporting.module("torn_tasks")


def test_every_task_of_the_file_is_in_a_bar_once() -> None:
    panels = MODULE.data(sources.load([FULL])).panels
    assert [panel.whole_seconds for panel in panels] == [False, True]
    bars = [bar for panel in panels for bar in panel.bars]
    assert len(bars) == len(ROWS)
    for bar, row in zip(bars, sorted(ROWS, key=lambda row: row.whole_seconds), strict=True):
        assert sum(bar.ends.values()) == bar.tasks == row.tasks
        assert min(bar.ends.values()) >= 0
        assert bar.torn == row.torn
        assert bar.ends["stale"] == row.stale


def test_retried_tasks_are_told_apart_only_where_all_of_them_were_consistent() -> None:
    fine, coarse = (panel.bars[-1] for panel in MODULE.data(sources.load([FULL])).panels)
    assert fine.name == coarse.name == "once-abort, 3 retries"
    fine_row, coarse_row = (row for row in ROWS if row.retries)
    assert fine.ends["consistent after a retry"] == fine_row.retried > 0
    assert coarse_row.retried > 0
    assert coarse.ends["consistent after a retry"] == 0


def test_the_finding_is_the_file_s() -> None:
    words = MODULE.content(MODULE.data(sources.load([FULL])))
    by_name = {row.name: row for row in ROWS}
    assert words.finding == (
        f"'naive' tore {by_name['naive'].torn:,} of {by_name['naive'].tasks:,} tasks; 'once' none, but"
        f" {by_name['once'].stale:,} committed on stale capabilities; 'once-abort' neither: it undid"
        f" {by_name['once-abort'].aborted:,}."
    )
    assert "With libvirt's whole seconds 98 to 99 %" in " ".join(words.notes)
    (table,) = words.tables
    assert len(table.rows) == len(ROWS)


def test_the_finding_claims_no_more_than_there_is(tmp_path: Path) -> None:
    whole = tornfile.read(FULL)
    kept = tuple(row for row in whole.rows if row.policy.startswith("once") and not row.whole_seconds)
    tornfile.write(tmp_path / "torn.json", replace(whole, rows=kept))
    words = MODULE.content(MODULE.data(sources.load([tmp_path / "torn.json"])))
    assert words.finding.startswith("No task was torn; 'once' 5,788 committed on stale")
    assert "whole seconds" not in " ".join(words.notes)


@pytest.mark.parametrize("files", [1, 2])
@pytest.mark.parametrize("width", [figures.WIDE, figures.NARROW])
def test_every_count_stands_in_the_figure_and_no_words_touch(width: float, files: int) -> None:
    value = MODULE.data(sources.load([FULL] * files))
    with mpl.rc_context(fname=content.SHIPPED.find_file("reports", "style.mplstyle")):
        figure = Figure(figsize=(width, 4))
        MODULE.draw(value, figure)
        figure.draw_without_rendering()
        for axes, panel in zip(figure.axes, value.panels, strict=True):
            written = " ".join(text.get_text() for text in axes.texts)
            for bar in panel.bars:
                whole = f"{bar.torn:,} torn"
                for count in filter(None, bar.ends.values()):
                    assert re.search(rf"\b{count:,}\b", written) or whole in written
                assert not bar.torn or whole in written
        boxes = [(text.get_text(), text.get_window_extent()) for text in _words(figure) if text.get_text()]
        for word, box in boxes:
            assert figure.bbox.x0 - 1 <= box.x0 <= box.x1 <= figure.bbox.x1 + 1, word
            assert figure.bbox.y0 - 1 <= box.y0 <= box.y1 <= figure.bbox.y1 + 1, word
        for (one, first), (other, second) in itertools.combinations(boxes, 2):
            assert not first.overlaps(second), f"{one!r} and {other!r}"


def _words(figure: Any) -> list[Any]:
    drawn = [text for axes in figure.axes for text in (*axes.texts, axes.title, axes._left_title)]
    return drawn + [text for one in figure.legends for text in one.get_texts()]


def test_a_report_takes_the_file_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert main(["report", str(FULL), "-o", str(out), "--json"]) == 0
    assert "torn_tasks" in json.loads(capsys.readouterr().out)["shown"]
    assert (out / "torn_tasks.png").is_file()
    assert "tore 5,646 of 10,000 tasks" in (out / "report.html").read_text().replace("&#39;", "'")


def test_without_one_nothing_is_said_of_it() -> None:
    assert MODULE.data(reporting.sources(reporting.grown("disks", ns=(1,)))) is None
    assert MODULE.MISSING == ""


def test_a_damaged_one_is_said_to_be(tmp_path: Path) -> None:
    plain = json.loads(FULL.read_text())
    del plain["rows"][0]["torn"]
    (tmp_path / "torn.json").write_text(json.dumps(plain))
    given = sources.load([tmp_path / "torn.json"])
    assert given.torn == ()
    assert "not written by 'qcaps torn'" in given.complaints[0]


def test_several_files_are_told_apart(tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    other.write_bytes(FULL.read_bytes())
    value = MODULE.data(sources.load([FULL, other]))
    assert len({panel.title for panel in value.panels}) == len(value.panels) == 4
    notes = " ".join(MODULE.content(value).notes)
    assert f"File 1, {FULL}: " in notes
    assert f"File 2, {other}: " in notes
