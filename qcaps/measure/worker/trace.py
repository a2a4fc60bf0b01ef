"""What one run of a task spends its time on: phases, lookups, forks. Recorded apart from all timing.

An arm that can be traced has `observe(recorder)`; `None` ends it. What is recorded of an arm goes into a
results file as the plain value that `trace` returns:

    {"runs": 5, "total": 1234.5, "parts": {"parse": 310.2, …}, "spans": [["phase", "parse", 0.0, 310.2], …]}

All times are microseconds. `total` and `parts` are medians over the runs; a phase's part leaves out the
lookups within it, which are a part of their own, and so are the forks within those. `spans` are kind, name,
start and duration in the run whose total was the median, in the order of their start; a task with more than
`MOST_SPANS` keeps none.
"""

from __future__ import annotations

import statistics
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qcaps.domainxml.codec import Element
    from qcaps.lookups.site import Site

RUNS = 5
MOST_SPANS = 260
LOOKUP, FORK, CHECK, PHASE = "lookup", "fork", "check", "phase"
LOOKUPS, FORKS, REST = "lookups", "forks", "rest"
_ENOUGH_NS = 150_000_000


@runtime_checkable
class Parted(Protocol):
    """An arm that knows how long its parts take, and not when each began."""

    def parts(self) -> dict[str, Any]:
        """`runs`, `total` and `parts` as `trace` returns them; a part may hold others."""


@dataclass(frozen=True)
class Span:
    """Something that took time, in nanoseconds of `perf_counter_ns`."""

    kind: str
    name: str
    start: int
    end: int

    @property
    def length(self) -> int:
        """Nanoseconds."""
        return self.end - self.start


@dataclass
class Recorder:
    """Takes down one run. `phase`, `watch` and `on_event` are what a driver and its counters call."""

    spans: list[Span] = field(default_factory=list)
    _site: str | None = None
    _asked: int = 0

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """A phase of the task."""
        start = perf_counter_ns()
        try:
            yield
        finally:
            self.spans.append(Span(PHASE, name, start, perf_counter_ns()))

    def watch(self, site: Site, device: Element | None) -> None:
        """A lookup begins; it ends with the validation, or the probe, that answers it."""
        self._site = site.value if device is None else f"{site.value}: {device.TAG}"
        self._asked = perf_counter_ns()

    def on_event(self, what: str, start_ns: int, end_ns: int, detail: str) -> None:
        """Something the cache did is over."""
        if what == "fork":
            self.spans.append(Span(FORK, detail, start_ns, end_ns))
        elif self._site is not None:
            self.spans.append(Span(LOOKUP, self._site, self._asked, end_ns))
            self._site = None
        else:
            # nobody looked up: a task that may be undone asks once more at its end
            self.spans.append(Span(CHECK, what, start_ns, end_ns))


@runtime_checkable
class Traceable(Protocol):
    """An arm that tells a recorder what it does."""

    def run(self) -> object:
        """The task once."""

    def reset(self) -> object:
        """Back to where the next run can begin."""

    def observe(self, recorder: Recorder | None) -> None:
        """Tell `recorder` from now on; None: nobody."""


def trace(arm: Traceable, most_spans: int = MOST_SPANS) -> dict[str, Any]:
    """Run the arm's task a few times, observed, and sum up. Raises what the task raises."""
    runs: list[tuple[int, int, list[Span]]] = []
    begun = perf_counter_ns()
    while len(runs) < RUNS and (not runs or perf_counter_ns() - begun < _ENOUGH_NS):
        recorder = Recorder()
        arm.observe(recorder)
        try:
            start = perf_counter_ns()
            arm.run()
            end = perf_counter_ns()
        finally:
            arm.observe(None)
        arm.reset()
        runs.append((start, end, recorder.spans))
    runs.sort(key=lambda run: run[1] - run[0])
    start, end, spans = runs[(len(runs) - 1) // 2]
    parts = [parts_of(spans, end - start) for start, end, spans in runs]
    names = dict.fromkeys(name for one in parts for name in one)
    return {
        "runs": len(runs),
        "total": _microseconds(end - start),
        "parts": {
            name: _microseconds(statistics.median(one.get(name, 0) for one in parts)) for name in names
        },
        "spans": _plain(spans, start) if len(spans) <= most_spans else [],
    }


def parts_of(spans: list[Span], total: int) -> dict[str, int]:
    """Nanoseconds of each phase without its lookups, of lookups without forks, of forks, of the rest."""
    asked = [span for span in spans if span.kind in (LOOKUP, CHECK)]
    forks = sum(span.length for span in spans if span.kind == FORK)
    parts: dict[str, int] = {}
    for span in spans:
        if span.kind == PHASE:
            inside = sum(one.length for one in asked if span.start <= one.start and one.end <= span.end)
            parts[span.name] = parts.get(span.name, 0) + span.length - inside
    parts[LOOKUPS] = sum(span.length for span in asked) - forks
    parts[FORKS] = forks
    parts[REST] = total - sum(parts.values())
    return parts


def _plain(spans: list[Span], start: int) -> list[list[str | float]]:
    return [
        [span.kind, span.name, _microseconds(span.start - start), _microseconds(span.length)]
        for span in sorted(spans, key=lambda span: (span.start, -span.end))
    ]


def _microseconds(nanoseconds: float) -> float:
    return round(nanoseconds / 1000, 1)
