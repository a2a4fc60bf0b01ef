"""An event in a few lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcaps.errors import visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qcaps.history.events import Event


def event_lines(event: Event) -> Iterator[str]:
    """What changed where, a line for the event and one for each benchmark."""
    from qcaps.report.history_page import change_text  # numpy, jinja2

    state = "worse" if event.worse else "changed" if event.settled else "suspected"
    known = f" (acknowledged: {event.acknowledged})" if event.acknowledged else ""
    yield visible(f"{state} at {event.after}, after {event.before}: {event.after.summary}{known}")
    for one in event.changes:
        yield visible(f"  {one.benchmark}: {change_text(one)}")
