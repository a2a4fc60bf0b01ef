"""What a cache did, counted where it happens."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

COUNTED = (
    "lookups",
    "hits",
    "misses",
    "validations",
    "invalidations",
    "forks",
    "probes",
    "loads",
    "saves",
)


class Observer(Protocol):
    """Told of each validation, fork, probe, load and save once it is over."""

    def __call__(self, what: str, start_ns: int, end_ns: int, detail: str) -> None:
        """`what` is the event's name; times are `time.perf_counter_ns`; `detail` names file or reason."""


@dataclass(slots=True)
class Counters:
    """Plain integers that only ever grow; whoever wants them reads them.

    A lookup answered from memory is a hit, any other a miss; a miss is followed by a load (from disk)
    or a probe. A validation runs an entry's checks once, for a lookup, for a freshly loaded file or at
    the end of a task. `reasons` counts invalidations by the part of the reason before its colon.
    """

    lookups: int = 0
    hits: int = 0
    misses: int = 0
    validations: int = 0
    invalidations: int = 0
    forks: int = 0
    probes: int = 0
    loads: int = 0
    saves: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    on_event: Observer | None = field(default=None, repr=False, compare=False)

    def invalidated(self, reason: str) -> None:
        """Count an invalidation under its reason."""
        self.invalidations += 1
        kind = reason.partition(":")[0]
        self.reasons[kind] = self.reasons.get(kind, 0) + 1

    def snapshot(self) -> dict[str, int | dict[str, int]]:
        """All counts as a plain dict that JSON can hold, `reasons` as a dict within."""
        return {**{name: getattr(self, name) for name in COUNTED}, "reasons": dict(self.reasons)}

    def copy(self) -> Counters:
        """The counts as they are now, for a later `since`; nobody observes the copy."""
        return Counters(**{name: getattr(self, name) for name in COUNTED}, reasons=dict(self.reasons))

    def since(self, earlier: Counters) -> Counters:
        """What was counted after `earlier`, a copy taken before."""
        grown = {name: count - earlier.reasons.get(name, 0) for name, count in self.reasons.items()}
        return Counters(
            **{name: getattr(self, name) - getattr(earlier, name) for name in COUNTED},
            reasons={name: count for name, count in grown.items() if count},
        )
