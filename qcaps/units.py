"""Times in words: the one place that chooses a unit."""

from __future__ import annotations

_MICRO, _MILLI = 1e-6, 1e-3
_MINUTE, _HOUR = 60, 3600
_SECONDS_UP_TO, _MINUTES_UP_TO = 99, 99 * _MINUTE


def duration(seconds: float) -> str:
    """Three digits and a unit: 843 µs, 1.27 ms, 12.7 s."""
    for unit, scale in (("µs", _MICRO), ("ms", _MILLI)):
        if seconds < 999.5 * scale:  # what still rounds to 999
            return f"{three_digits(seconds / scale)} {unit}"
    return f"{three_digits(seconds)} s"


def span(seconds: float) -> str:
    """How long to wait, as a person would say it: 40 s, 7 min, 2.5 h."""
    if seconds <= _SECONDS_UP_TO:
        return f"{max(seconds, 1):.0f} s"
    return f"{seconds / _MINUTE:.0f} min" if seconds <= _MINUTES_UP_TO else f"{seconds / _HOUR:.1f} h"


def three_digits(value: float) -> str:
    """A number with three digits, or with all before its point."""
    return f"{value:.{2 if value < 9.995 else 1 if value < 99.95 else 0}f}"  # noqa: PLR2004  # what still rounds so
