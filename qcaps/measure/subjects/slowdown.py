"""A known slowdown, put into an arm to see whether a gate notices it."""

from __future__ import annotations

from time import perf_counter_ns
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from qcaps.measure.subject import TimedElsewhere

if TYPE_CHECKING:
    from qcaps.measure.subject import Counts, PreparedCell


@runtime_checkable
class Scalable(Protocol):
    """An arm that can do a known share more of its own work."""

    def scaled(self, share: float) -> PreparedCell:
        """The arm with so much more to do: 0.03 is 3 % more."""


def slowed(arm: PreparedCell, share: float) -> PreparedCell:
    """The arm with a known slowdown: more of its own work where it can be measured out, else spinning."""
    if isinstance(arm, Scalable):
        return arm.scaled(share)
    return SlowedElsewhere(arm, share) if isinstance(arm, TimedElsewhere) else Slowed(arm, share)


class Slowed:
    """An arm whose every run takes `share` longer: it spins for that part of the time the run took.

    In proportion to the very call, so that the quickest call of a block is slower by exactly the share.
    """

    def __init__(self, arm: PreparedCell, share: float) -> None:
        self._arm = arm
        self._share = share
        self.reset = arm.reset
        self.totals = arm.totals
        self.facts = arm.facts
        self.close = arm.close

    def run(self) -> None:
        """The task, and the rest of its time."""
        start = perf_counter_ns()
        self._arm.run()
        end = perf_counter_ns()
        end += int((end - start) * self._share)
        while perf_counter_ns() < end:
            pass

    def counts(self) -> Counts:
        """What one run does; spinning counts nothing."""
        return self._arm.counts()


class SlowedElsewhere(Slowed):
    """An arm that another process times: its nanoseconds grow by `share`, as nothing can spin there."""

    def __init__(self, arm: PreparedCell, share: float) -> None:
        super().__init__(arm, share)
        assert isinstance(arm, TimedElsewhere)
        self._time = arm.time

    def time(self) -> int:
        """The task's time, and its share more."""
        return round(self._time() * (1 + self._share))
