"""What happened in a line: all that changes at one place is one event, and may have been acknowledged."""

from __future__ import annotations

import fnmatch
import math
import tomllib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from qcaps.bounded import UnreadableError, read_bounded
from qcaps.errors import UsageError
from qcaps.history import changes, commits, track

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from qcaps.history.changes import Suspect
    from qcaps.history.records import Revision
    from qcaps.history.track import Track

ACKNOWLEDGED = "qcaps-acknowledged.toml"
_LARGEST_FILE = 1 << 20
_KEYS = {"range", "benchmarks", "why"}
_COSTLY = ("lookups", "validations", "forks", "probes")


@dataclass(frozen=True)
class Change:
    """One benchmark at an event. `counts` are from and to; the ratio is that of times, after over before.

    `settled` by a gate or by counts; a suspect otherwise.
    """

    benchmark: str
    counts: dict[str, tuple[int, int]]
    ratio: float
    low: float
    high: float
    settled: bool

    @property
    def worse(self) -> bool:
        """Whether it does more, or surely takes longer.

        Once more for each device more is the law of a parse, and a guest that has one more no fault.
        """
        grown = {name: after - before for name, (before, after) in self.counts.items()}
        more_devices = max(grown.get("devices", 0), 0)
        if any(grown.get(name, 0) > more_devices for name in _COSTLY):
            return True
        return self.low > 1 and not self.counts


@dataclass(frozen=True)
class Event:
    """Changes between two revisions with none measured between them. `acknowledged` says why, if it was."""

    before: Revision
    after: Revision
    changes: tuple[Change, ...]
    acknowledged: str = ""

    @property
    def settled(self) -> bool:
        """Whether it is more than suspected."""
        return any(one.settled for one in self.changes)

    @property
    def worse(self) -> bool:
        """Whether some benchmark is worse for it, as far as is settled."""
        return any(one.settled and one.worse for one in self.changes)

    def to_plain(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "before": self.before.name,
            "after": self.after.name,
            "label": str(self.after),
            "summary": self.after.summary,
            "worse": self.worse,
            "settled": self.settled,
            "acknowledged": self.acknowledged,
            "benchmarks": [
                {
                    "name": one.benchmark,
                    "counts": {name: list(both) for name, both in one.counts.items()},
                    "ratio": round(one.ratio, 5),
                    "low": round(one.low, 5),
                    "high": round(one.high, 5),
                    "settled": one.settled,
                    "worse": one.worse,
                }
                for one in self.changes
            ],
        }


def events(tracks: Iterable[Track], known: Mapping[int, Revision]) -> list[Event]:
    """All events in the order of the line. Where a benchmark's counts change, they explain its time."""
    order = {number: at for at, number in enumerate(known)}
    found: dict[tuple[int, int], list[Change]] = {}
    for one in tracks:
        explained = set()
        for step in one.count_steps:
            explained.add((step.before, step.after))
            ratio, low, high = _time_at(one, step.before, step.after, order)
            change = Change(one.cell.name, step.changed, ratio, low, high, settled=True)
            found.setdefault((step.before, step.after), []).append(change)
        for gate in one.settled:
            key = (gate.before, gate.after)
            if gate.verdict in track.CHANGED and key not in explained:
                explained.add(key)
                change = Change(one.cell.name, {}, gate.ratio, gate.low, gate.high, settled=True)
                found.setdefault(key, []).append(change)
        for number, suspect in one.suspects:
            levels = one.segments[number].levels
            key = (levels[suspect.at - 1].revision, levels[suspect.at].revision)
            ratio, low, high = _bounds(suspect)
            found.setdefault(key, []).append(Change(one.cell.name, {}, ratio, low, high, settled=False))
    return [
        Event(known[before], known[after], tuple(some))
        for (before, after), some in sorted(
            found.items(), key=lambda item: (order[item[0][1]], order[item[0][0]])
        )
    ]


def _time_at(one: Track, before: int, after: int, order: Mapping[int, int]) -> tuple[float, float, float]:
    """How the time changes at a known place: ratio and bounds of two standard errors; 1 if not timed."""
    for number, segment in enumerate(one.segments):
        at = track.place_in(segment, before, after, order)
        if at is not None:
            known = [(step.before, step.after) for step in one.count_steps]
            known += [(gate.before, gate.after) for gate in one.settled if gate.verdict in track.CHANGED]
            places = (track.place_in(segment, *key, order) for key in known)
            bounds = [place for place in places if place is not None]
            bounds += [suspect.at for of, suspect in one.suspects if of == number]
            return _bounds(changes.step(segment.levels, at, bounds))
    return 1.0, 1.0, 1.0


def _bounds(found: Suspect) -> tuple[float, float, float]:
    """The ratio and two standard errors to either side."""
    low, ratio, high = (math.exp(found.log + sign * 2 * found.error) for sign in (-1, 0, 1))
    return ratio, low, high


@dataclass(frozen=True)
class Acknowledgement:
    """A range of commits in which changes are known, of benchmarks by pattern, and why that is so."""

    range: str
    benchmarks: tuple[str, ...]
    why: str


def read_acknowledgements(path: Path) -> tuple[Acknowledgement, ...]:
    """What a repository's file acknowledges. Raises UsageError naming the file and the entry."""
    try:
        plain = tomllib.loads(read_bounded(path, _LARGEST_FILE).decode())
    except FileNotFoundError:
        return ()
    except (UnreadableError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: {error}") from None
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror or error}") from error
    entries = plain.get("acknowledged", [])
    if plain.keys() - {"acknowledged"} or not isinstance(entries, list):
        raise UsageError(f"{path}: expected [[acknowledged]] and nothing else")
    return tuple(_entry(path, number, one) for number, one in enumerate(entries, 1))


def _entry(path: Path, number: int, one: Any) -> Acknowledgement:  # noqa: ANN401  # TOML
    where = f"{path}: entry {number}"
    if not isinstance(one, dict) or one.keys() - _KEYS:
        raise UsageError(f"{where}: expected range, why and benchmarks")
    for name in ("range", "why"):
        if not isinstance(one.get(name), str) or not one[name].strip():
            raise UsageError(f"{where}: {name} is missing: what it says is kept for whoever asks later")
    globs = one.get("benchmarks", ["*"])
    if not isinstance(globs, list) or not all(isinstance(glob, str) for glob in globs):
        raise UsageError(f'{where}: benchmarks: expected a list of names, as "disks/*"')
    return Acknowledgement(one["range"], tuple(globs), one["why"])


def acknowledge(
    found: Sequence[Event], entries: Iterable[Acknowledgement], repository: Path | None
) -> list[Event]:
    """The events, each that lies in an acknowledged range with its reason.

    All changed benchmarks of the event must be meant. A line without a repository has ranges of its own
    revisions' names, as A..B. Raises UsageError for a range that is none.
    """
    known = list(found)
    for entry in entries:
        if repository is not None:
            names = commits.within(repository, entry.range)
            inside = [one.after.name in names for one in known]
        else:
            inside = _inside(known, entry)
        known = [
            replace(one, acknowledged=entry.why) if within and _is_meant(one, entry) else one
            for one, within in zip(known, inside, strict=True)
        ]
    return known


def _is_meant(event: Event, entry: Acknowledgement) -> bool:
    return all(
        any(fnmatch.fnmatchcase(change.benchmark, glob) for glob in entry.benchmarks)
        for change in event.changes
    )


def _inside(found: Sequence[Event], entry: Acknowledgement) -> list[bool]:
    first, dots, last = entry.range.partition("..")
    if not dots:
        raise UsageError(f"{entry.range}: expected A..B, of revisions in the store")
    before = {name: at for at, one in enumerate(found) for name in (one.before.name, one.before.label)}
    after = {name: at for at, one in enumerate(found) for name in (one.after.name, one.after.label)}
    low, high = before.get(first, 0), after.get(last, -1)
    return [low <= at <= high for at in range(len(found))]
