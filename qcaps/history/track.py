"""One benchmark's history, from the store: levels, counts, and which changes are known or suspected."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from qcaps.history import changes, levels, records
from qcaps.history.layout import scatter as layout_scatter
from qcaps.measure.gate.counting import COUNTED
from qcaps.measure.gate.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from qcaps.history.changes import Suspect
    from qcaps.history.levels import Segment
    from qcaps.history.store import HistoryStore
    from qcaps.measure.cell import Cell

CHANGED = (Verdict.FAIL, Verdict.IMPROVED)


class Counted(NamedTuple):
    """What a revision's task does, in the order of COUNTED."""

    devices: int
    lookups: int
    validations: int
    forks: int
    probes: int


class CountStep(NamedTuple):
    """Counts that differ between two revisions with none measured between: what changed, from and to."""

    before: int
    after: int
    changed: dict[str, tuple[int, int]]


class Settled(NamedTuple):
    """What a gate between two revisions said."""

    before: int
    after: int
    verdict: Verdict
    ratio: float
    low: float
    high: float
    pairs: int


@dataclass(frozen=True)
class Track:
    """One benchmark. `suspects` are by the number of their segment; revisions are by their number.

    `layout` is what builds of one commit scatter by, as a standard deviation of ln of time.
    """

    benchmark: int
    cell: Cell
    segments: tuple[Segment, ...]
    counts: dict[int, Counted]
    count_steps: tuple[CountStep, ...]
    settled: tuple[Settled, ...]
    layout: float
    suspects: tuple[tuple[int, Suspect], ...]


def read(
    store: HistoryStore, benchmark: int, cell: Cell, line: Sequence[int], anchors: Sequence[int]
) -> Track:
    """The track of a benchmark. `line` and `anchors` are all revisions, and the anchors, in order.

    Raises QcapsError where ruptures is not installed.
    """
    order = {number: at for at, number in enumerate(line)}
    parts = [
        part
        for environment, found in levels.edges(pairs_of(store, benchmark)).items()
        for part in levels.chained(found, anchors, environment)
    ]
    found_segments = levels.segments(parts, order)
    counts, count_steps = _counts(store, benchmark, order)
    settled = _settled(store, benchmark, order)
    scatter = layout_scatter(store, benchmark)
    suspects = [
        (number, one)
        for number, segment in enumerate(found_segments)
        for one in _suspects(segment, order, count_steps, settled, scatter)
    ]
    return Track(
        benchmark,
        cell,
        tuple(found_segments),
        counts,
        tuple(count_steps),
        tuple(settled),
        scatter,
        tuple(suspects),
    )


def pairs_of(store: HistoryStore, benchmark: int) -> list[tuple[int, float]]:
    """The pairs of a benchmark, as `levels.edges` takes them: what was compared, and head over base."""
    return store.connection.execute(
        f"SELECT {levels.KEY}, head_seconds / base_seconds FROM pair WHERE benchmark = ?"  # noqa: S608  # ours
        " ORDER BY environment, base, head, number",
        (benchmark,),
    ).fetchall()


def read_all(store: HistoryStore) -> list[Track]:
    """The tracks of all benchmarks."""
    line, anchors = list(records.revisions(store)), records.anchors(store)
    return [read(store, number, cell, line, anchors) for number, cell in records.benchmarks(store).items()]


def place_in(segment: Segment, before: int, after: int, order: Mapping[int, int]) -> int | None:
    """The level at which a change between two revisions shows; None where the segment has not both sides."""
    earlier = [at for at, one in enumerate(segment.levels) if order[one.revision] <= order[before]]
    later = [at for at, one in enumerate(segment.levels) if order[one.revision] >= order[after]]
    return later[0] if earlier and later else None


def _suspects(
    segment: Segment,
    order: Mapping[int, int],
    count_steps: Iterable[CountStep],
    settled: Sequence[Settled],
    scatter: float,
) -> list[Suspect]:
    """What no count and no gate explains yet, and no gate has refuted."""
    known = [(one.before, one.after) for one in count_steps]
    known += [(one.before, one.after) for one in settled if one.verdict in CHANGED]
    places = [place_in(segment, before, after, order) for before, after in known]
    found = changes.suspects(segment.levels, [at for at in places if at is not None], scatter)
    refuted = [(order[one.before], order[one.after]) for one in settled if one.verdict is Verdict.PASS]
    return [
        one
        for one in found
        if not any(
            low <= order[segment.levels[one.at - 1].revision]
            and order[segment.levels[one.at].revision] <= high
            for low, high in refuted
        )
    ]


def _counts(
    store: HistoryStore, benchmark: int, order: Mapping[int, int]
) -> tuple[dict[int, Counted], list[CountStep]]:
    """Counts by revision, and steps: two revisions are held against each other where both were counted."""
    by_place: dict[int, dict[int, Counted]] = {}
    counts: dict[int, Counted] = {}
    for environment, revision, *some in store.connection.execute(
        f"SELECT environment, revision, {', '.join(COUNTED)} FROM counted WHERE benchmark = ?",  # noqa: S608
        (benchmark,),
    ):
        counts[revision] = by_place.setdefault(environment, {})[revision] = Counted(*some)
    steps: dict[tuple[int, int], CountStep] = {}
    for own in by_place.values():
        line = sorted(own, key=order.__getitem__)
        for before, after in pairwise(line):
            changed = {
                name: (one, other)
                for name, one, other in zip(COUNTED, own[before], own[after], strict=True)
                if one != other
            }
            if changed:
                steps[before, after] = CountStep(before, after, changed)
    places = {key: (order[key[0]], order[key[1]]) for key in steps}

    def holds_another(key: tuple[int, int]) -> bool:
        low, high = places[key]
        return any(low <= one and other <= high for k, (one, other) in places.items() if k != key)

    narrow = [step for key, step in steps.items() if not holds_another(key)]
    return counts, sorted(narrow, key=lambda one: order[one.after])


def _settled(store: HistoryStore, benchmark: int, order: Mapping[int, int]) -> list[Settled]:
    rows = store.connection.execute(
        "SELECT before, after, verdict, ratio, low, high, pairs FROM settled WHERE benchmark = ?",
        (benchmark,),
    )
    found = [Settled(before, after, Verdict(verdict), *rest) for before, after, verdict, *rest in rows]
    return sorted(found, key=lambda one: order[one.after])
