"""Where the time of a task goes, read back from a results file, and as files for trace viewers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from qcaps.measure.results.results_file import Measured


class ReadSpan(NamedTuple):
    """One event of a task; microseconds since its beginning."""

    kind: str
    name: str
    start: float
    length: float

    @property
    def end(self) -> float:
        """Microseconds since the beginning of the task."""
        return self.start + self.length


@dataclass(frozen=True)
class Trace:
    """Microseconds: all of the task, each part of it; and its events, if they were kept."""

    runs: int
    total: float
    parts: dict[str, float]
    spans: tuple[ReadSpan, ...]


def trace_of(measured: Measured) -> Trace | None:
    """The trace kept with an arm; None if there is none that can be read."""
    for run in measured.runs:
        try:
            return from_plain(json.loads(str(run.facts["spans"])))
        except (KeyError, TypeError, ValueError, AttributeError):
            continue
    return None


def from_plain(plain: Mapping[str, Any]) -> Trace:
    """A trace from what `qcaps.measure.worker.trace` writes. Raises what a wrong one raises."""
    return Trace(
        int(plain["runs"]),
        float(plain["total"]),
        {str(name): float(value) for name, value in plain["parts"].items()},
        tuple(
            ReadSpan(str(kind), str(name), float(at), float(long)) for kind, name, at, long in plain["spans"]
        ),
    )


def to_perfetto(traces: Mapping[str, Trace]) -> str:
    """Chrome's trace format, a process for each name; ui.perfetto.dev and chrome://tracing open it."""
    events: list[dict[str, Any]] = []
    for number, (name, trace) in enumerate(traces.items(), start=1):
        common = {"pid": number, "tid": 1}
        events.append({"ph": "M", "name": "process_name", "args": {"name": name}, **common})
        events += [
            {"ph": "X", "cat": span.kind, "name": span.name, "ts": span.start, "dur": span.length, **common}
            for span in trace.spans
        ]
    return json.dumps({"traceEvents": events, "displayTimeUnit": "ms"})


def to_speedscope(traces: Mapping[str, Trace]) -> str:
    """speedscope.app's evented format, a profile for each name."""
    frames = {
        name: number
        for number, name in enumerate(
            dict.fromkeys(_frame(span) for one in traces.values() for span in one.spans)
        )
    }
    profiles = [
        {
            "type": "evented",
            "name": name,
            "unit": "microseconds",
            "startValue": 0,
            "endValue": trace.total,
            "events": [
                {"type": kind, "frame": frames[frame], "at": at} for kind, frame, at in _nested(trace.spans)
            ],
        }
        for name, trace in traces.items()
    ]
    return json.dumps(
        {
            "$schema": "https://www.speedscope.app/file-format-schema.json",
            "shared": {"frames": [{"name": name} for name in frames]},
            "profiles": profiles,
        }
    )


def _frame(span: ReadSpan) -> str:
    return f"{span.kind}: {span.name}"


def _nested(spans: Iterable[ReadSpan]) -> list[tuple[str, str, float]]:
    """Opening and closing events in order; an inner span is closed no later than the one around it."""
    events: list[tuple[str, str, float]] = []
    still_open: list[tuple[str, float]] = []
    for span in spans:
        while still_open and still_open[-1][1] <= span.start:
            name, end = still_open.pop()
            events.append(("C", name, end))
        end = min(span.end, still_open[-1][1]) if still_open else span.end
        events.append(("O", _frame(span), span.start))
        still_open.append((_frame(span), end))
    events += [("C", name, end) for name, end in reversed(still_open)]
    return events
