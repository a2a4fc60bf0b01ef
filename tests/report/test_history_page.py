"""The page of a history: it is whole without JavaScript, and a pointer is told what was measured."""

from __future__ import annotations

import base64
import json
import re
import struct
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from lxml import html

from qcaps.history import events, records, track
from qcaps.history.levels import Level, Segment
from qcaps.history.store import reading
from qcaps.report import history_chart, history_page
from tests.support import histories

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = "</script><script>alert(1)</script>\x1b[31m<b>&amp;"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("history") / "h.db"
    histories.fill(path, hostile=HOSTILE)
    return path


def test_all_of_it_is_there_without_javascript(store: Path, tmp_path: Path) -> None:
    file = tmp_path / "history.html"
    with reading(store) as opened:
        assert history_page.build(opened, file) == 3
    text = file.read_text()
    assert "\x1b" not in text
    page: Any = html.fromstring(text)
    assert [one.get("type") for one in page.iter("script")] == ["application/json", None]
    assert not [one for one in page.iter() if one.get("src") or (one.get("href") or "#")[0] != "#"]
    panels = page.xpath("//ul[@class='panels']/li")
    # settled changes first, the largest first
    assert panels[0].get("data-name") == "disks/4 define fork naive"
    assert panels[2].get("data-name").startswith("quiet")
    marks = [one.get("class") for one in panels[0].xpath(".//*[contains(@class, 'mark')]")]
    assert marks == ["mark worse", "mark worse"]
    assert [one.get("class") for one in panels[1].xpath(".//*[contains(@class, 'mark')]")] == [
        "mark suspected"
    ]
    assert panels[2].xpath(".//*[contains(@class, 'mark')]") == []
    assert "r20: became worse: time +5.0 %" in panels[0].xpath("string(.//*[@class='mark worse']/*)")
    assert page.xpath("count(//*[@class='controls' and @hidden])") == 1  # shown by the script that serves it
    rows = page.xpath("//section[@id='events']//tbody/tr")
    assert [row.xpath("string(td[1])") for row in rows] == ["r29", "r19"]
    assert "lookups 2 → 9" in rows[0].text_content()
    assert page.xpath("string(//section[@id='gaps']//li)").startswith("r7: </script><script>alert(1)")


def test_what_a_pointer_is_told_is_what_was_measured(store: Path, tmp_path: Path) -> None:
    file = tmp_path / "history.html"
    with reading(store) as opened:
        history_page.build(opened, file)
        tracks = {one.cell.name: one for one in track.read_all(opened)}
        order = {number: at for at, number in enumerate(records.revisions(opened))}
    page: Any = html.fromstring(file.read_text())
    data = json.loads(page.xpath("string(//script[@id='data'])"))
    assert data["revisions"][20][2].startswith("</script>")
    for panel, (places, logs, errors, lookups) in zip(
        page.xpath("//li[@data-name]"), data["panels"], strict=True
    ):
        name = next(one for one in tracks if one[:5] == panel.get("data-name")[:5])
        (segment,) = tracks[name].segments
        assert _unpacked(places) == [order[level.revision] for level in segment.levels]
        assert [one / history_chart.SCALE for one in _unpacked(logs)] == pytest.approx(
            [level.log for level in segment.levels], abs=1e-4
        )
        assert [one / history_chart.SCALE for one in _unpacked(errors)] == pytest.approx(
            [2 * level.error for level in segment.levels], abs=1e-4
        )
        assert lookups[0] == [0, 2]
        assert lookups[-1] == ([39, 9] if name.startswith("disks") else [39, 2])


def _unpacked(packed: str) -> list[int]:
    raw = base64.b64decode(packed[1:])
    return list(struct.unpack(f"<{len(raw) // 2}{'H' if packed[0] == 'u' else 'h'}", raw))


def test_what_is_acknowledged_is_said(store: Path, tmp_path: Path) -> None:
    file = tmp_path / "history.html"
    with reading(store) as opened:
        found = events.events(track.read_all(opened), records.revisions(opened))
        entry = events.Acknowledgement("r19..r30", ("*",), "it is <meant>")
        history_page.build(opened, file, events.acknowledge(found, [entry], None))
    assert file.read_text().count("acknowledged: it is &lt;meant&gt;") == 2


def test_many_levels_are_thinned_to_what_can_be_seen() -> None:
    draw = np.random.default_rng(1)
    order = {n: n for n in range(20_000)}
    line = tuple(Level(n, draw.normal(0, 0.01), 0.01, 0.01, 8, 1) for n in order)
    chart = history_chart.draw([Segment(line, (1,))], order, [(0, 2)], [], "many")
    assert len(chart.svg) < 12_000
    (path,) = re.findall(r'class="line" d="([^"]*)"', chart.svg)
    assert path.count("L") < 4 * history_chart.WIDTH
