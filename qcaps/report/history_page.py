"""A history as one page that needs nothing: a small chart a benchmark, events, gaps, where times are from."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qcaps import __version__
from qcaps.content import SHIPPED, ContentFolders
from qcaps.files import replace_file
from qcaps.history import records, track
from qcaps.history.events import events
from qcaps.report import history_chart
from qcaps.report.history_chart import Mark
from qcaps.report.page import environment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from qcaps.history.events import Change, Event
    from qcaps.history.records import Revision
    from qcaps.history.store import HistoryStore
    from qcaps.history.track import Track
    from qcaps.report.history_chart import Chart

PAGE = "history.html"
_LONGEST_SUMMARY = 60
_KINDS = {"worse": "became worse", "better": "became better", "suspected": "suspected"}


@dataclass(frozen=True)
class Panel:
    """One benchmark on the page. `change` and `surely` are of the largest change: its size, and in errors."""

    name: str
    chart: Chart
    latest: float | None
    change: float
    surely: float
    words: str
    events: int
    settled: bool


def build(
    store: HistoryStore, file: Path, found: Sequence[Event] = (), content: ContentFolders = SHIPPED
) -> int:
    """Write the page, and say how many benchmarks it shows. `found` are the events, as acknowledged."""
    known = records.revisions(store)
    tracks = track.read_all(store)
    happened = list(found) or events(tracks, known)
    order = {number: at for at, number in enumerate(known)}
    panels = sorted((_panel(one, order, known, happened) for one in tracks), key=_rank)
    revisions = list(known.values())
    data = {
        "scale": history_chart.SCALE,
        "left": history_chart.LEFT,
        "width": history_chart.WIDTH,
        "revisions": [[str(one), one.date[:10], one.summary[:_LONGEST_SUMMARY]] for one in revisions],
        "panels": [[one.chart.places, one.chart.logs, one.chart.errors, one.chart.lookups] for one in panels],
    }
    templates = environment(content)
    given: dict[str, Any] = {
        "style": content.find_file("reports", "templates/report.css").read_text(encoding="utf-8"),
        "own_style": content.find_file("reports", "templates/history.css").read_text(encoding="utf-8"),
        "script": content.find_file("reports", "templates/history.js").read_text(encoding="utf-8"),
        # within a script nothing ends it but its own end
        "data": json.dumps(data, separators=(",", ":")).replace("<", "\\u003c"),
        "panels": panels,
        "events": list(reversed(happened)),
        "gaps": [
            (one, known_by_name(revisions).get(one.revision, one.revision)) for one in records.gaps(store)
        ],
        "revisions": revisions,
        "environments": list(records.environments(store).values()),
        "anchors": [known[number] for number in records.anchors(store)],
        "change_text": change_text,
        "version": __version__,
    }
    replace_file(file, templates.get_template("history.html.j2").render(given), named=True)
    return len(panels)


def known_by_name(revisions: Sequence[Revision]) -> dict[str, str]:
    """What people call each revision."""
    return {one.name: str(one) for one in revisions}


def change_text(change: Change) -> str:
    """Counts from and to, then the ratio of times with its bounds."""
    parts = [f"{name} {before} → {after}" for name, (before, after) in change.counts.items()]
    if (change.ratio, change.low, change.high) != (1.0, 1.0, 1.0):
        percent = [100 * (value - 1) for value in (change.ratio, change.low, change.high)]
        parts.append(f"time {percent[0]:+.1f} % ({percent[1]:+.1f} to {percent[2]:+.1f})")
    return ", ".join(parts)


def kind(change: Change) -> str:
    """How a change is marked."""
    if not change.settled:
        return "suspected"
    return "worse" if change.worse else "better"


def _panel(
    one: Track, order: dict[int, int], known: Mapping[int, Revision], happened: Sequence[Event]
) -> Panel:
    place = {revision.name: order[number] for number, revision in known.items()}
    own = [
        (event, change) for event in happened for change in event.changes if change.benchmark == one.cell.name
    ]
    marks = [
        Mark(
            place[event.after.name],
            kind(change),
            f"{event.after}: {_KINDS[kind(change)]}: {change_text(change)}. {event.after.summary}",
        )
        for event, change in own
    ]
    lookups = sorted((order[number], counts.lookups) for number, counts in one.counts.items())
    last = max((s.levels[-1] for s in one.segments), key=lambda level: order[level.revision], default=None)
    latest = math.exp(last.log) if last else None
    largest = max((change for _, change in own), key=lambda change: abs(math.log(change.ratio)), default=None)
    words = [f"{len(own)} change{'s' if len(own) != 1 else ''}"] if own else ["no change"]
    if latest is not None:
        words.insert(0, f"{100 * (latest - 1):+.1f} % since the first anchor")
    if lookups:
        words.append(f"{lookups[-1][1]} lookups")
    chart = history_chart.draw(one.segments, order, lookups, marks, f"{one.cell.name}: {', '.join(words)}")
    return Panel(
        one.cell.name,
        chart,
        latest,
        abs(math.log(largest.ratio)) if largest else 0.0,
        _surely(largest),
        ", ".join(words),
        len(own),
        any(change.settled for _, change in own),
    )


def _surely(change: Change | None) -> float:
    """How many standard errors the ratio lies from none, by its bounds."""
    if change is None or change.high <= change.low:
        return 0.0
    return abs(math.log(change.ratio)) / (math.log(change.high / change.low) / 4)


def _rank(panel: Panel) -> tuple[bool, float, str]:
    return (not panel.settled, -panel.change, panel.name)
