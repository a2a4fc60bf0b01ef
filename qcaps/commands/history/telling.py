"""An event in a few lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcaps.errors import visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qcaps.history.events import Change, Event


def event_lines(event: Event) -> Iterator[str]:
    """What changed where, a line for the event and one for each benchmark."""
    state = "worse" if event.worse else "changed" if event.settled else "suspected"
    known = f" (acknowledged: {event.acknowledged})" if event.acknowledged else ""
    yield visible(f"{state} at {event.after}, after {event.before}: {event.after.summary}{known}")
    for one in event.changes:
        yield visible(f"  {one.benchmark}: {change_text(one)}")


def change_text(change: Change) -> str:
    """Counts from and to, then the ratio of times with its bounds."""
    parts = [f"{name} {before} -> {after}" for name, (before, after) in change.counts.items()]
    if (change.ratio, change.low, change.high) != (1.0, 1.0, 1.0):
        percent = [100 * (value - 1) for value in (change.ratio, change.low, change.high)]
        parts.append(f"time {percent[0]:+.1f} % ({percent[1]:+.1f} to {percent[2]:+.1f})")
    return ", ".join(parts)
