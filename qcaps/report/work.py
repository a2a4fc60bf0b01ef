"""Which does more, as a table: functions and system calls that base and head call another number of times."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcaps.measure.gate.doing import names_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from qcaps.measure.gate.doing import Doing

HEADINGS = ("benchmark", "which", "name", "base", "head", "more")
LEFT = 3
_MOST = 10
_VARIES = "varies"


def texts(rows: Sequence[Doing]) -> list[tuple[str, ...]]:
    """The most telling rows as text, under HEADINGS; the last says how many are left out."""
    shown, left = names_of(rows, _MOST)
    found: list[tuple[str, ...]] = [
        (row.benchmark, row.kind, row.name, str(row.base), str(row.head),
         _VARIES if row.varies else f"{row.more:+d}")
        for row in shown
    ]  # fmt: skip
    if left:
        found.append(("", "", f"and {left} more, in the report's JSON", "", "", ""))
    return found


def table(rows: Sequence[Doing]) -> Table | None:
    """For a terminal; None without a row."""
    from rich.table import Table

    if not rows:
        return None
    drawn = Table(box=None, pad_edge=False, header_style="bold")
    for number, heading in enumerate(HEADINGS):
        drawn.add_column(heading, justify="left" if number < LEFT else "right", overflow="fold")
    for row in texts(rows):
        drawn.add_row(*row, style="dim" if row[-1] == _VARIES else None)
    return drawn
