"""Numbers as words."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qcaps.report.fit import Estimate

_TWO_DIGITS, _ONE_DIGIT = 3.0, 20.0
_LARGE = 100.0


def times(ratio: float) -> str:
    """A ratio with the digits it deserves: 1.04, 2.5, 41."""
    if ratio < _TWO_DIGITS:
        return f"{ratio:.2f}"
    return f"{ratio:.1f}" if ratio < _ONE_DIGIT else f"{ratio:.0f}"


def interval(low: float, high: float) -> str:
    """The ends of an interval of ratios."""
    return f"{times(low)} to {times(high)}"


def estimate(value: Estimate, scale: float = 1.0) -> str:
    """A value and its interval."""
    numbers = (scale * one for one in (value.value, value.low, value.high))
    middle, low, high = (f"{one:.0f}" if abs(one) >= _LARGE else f"{one:.3g}" for one in numbers)
    return f"{middle} [{low} to {high}]"


def percent(share: float) -> str:
    """A share in percent."""
    return f"{100 * share:.0f} %" if share >= 0.1 else f"{100 * share:.1f} %"  # noqa: PLR2004  # two digits


def count(number: int, noun: str) -> str:
    """1 lookup, 2 lookups."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def task_name(task: str) -> str:
    """A task in a sentence."""
    return {"define+undefine": "define and undefine"}.get(task, task)


MEANING = {
    "fork": "a fork",
    "ctime": "14 system calls",
    "watch": "a look at what inotify told",
    "trust": "nothing more",
}
"""What a validity does on a hit, in few words."""
