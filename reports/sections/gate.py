"""What a gate found: the change of each benchmark, with its interval and verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qcaps.measure.gate.verdict import Margins
from qcaps.report.section import Content, Table

from ._forest import COLOURS, ForestRow, draw_rows
from ._words import percent

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from qcaps.report.sources import Gate, Sources

ORDER = 12
HEADING = "The gate"
MISSING = ""
_MOST_ROWS = 40
_LAST = "FAIL", "INCONCLUSIVE", "APART", "NOISY HOST", "IMPROVED", "PASS"


@dataclass(frozen=True)
class Gated:
    """The reports, and the rows to draw, the worst first."""

    gates: tuple[Gate, ...]
    rows: tuple[ForestRow, ...]


def data(sources: Sources) -> Gated | None:
    """All rows that were timed."""
    if not sources.gates:
        return None
    rows = [
        ForestRow((row.name, ""), row.verdict, row.ratio, row.low, row.high)
        for gate in sources.gates
        for row in gate.rows
        if row.ratio is not None and row.low is not None and row.high is not None and row.verdict in COLOURS
    ]
    rows.sort(key=lambda row: (_LAST.index(row.verdict), -row.ratio))
    return Gated(sources.gates, tuple(rows[:_MOST_ROWS]))


def content(value: Gated) -> Content:
    """The headline, and what the run could have seen."""
    notes = []
    for gate in value.gates:
        shares = sorted(row.detectable for row in gate.rows if row.detectable is not None)
        if shares:
            notes.append(
                f"{gate.head} against {gate.base}: the smallest slowdown it could have seen in nine of ten"
                f" runs is {percent(shares[0])} at best, {percent(shares[-1])} at worst."
            )
        notes += [f"Count: {fault}" for fault in gate.faults]
    headings = ("benchmark", "verdict", "head / base", "interval", "pairs", "detectable")
    rows = tuple(
        (
            row.name,
            row.verdict,
            "" if row.ratio is None else f"{row.ratio:.3f}",
            "" if row.low is None or row.high is None else f"{row.low:.3f} to {row.high:.3f}",
            str(row.pairs),
            "" if row.detectable is None else percent(row.detectable),
        )
        for gate in value.gates
        for row in gate.rows
    )
    bad = frozenset((number, 1) for number, row in enumerate(rows) if row[1] == "FAIL")
    return Content(
        "; ".join(gate.headline for gate in value.gates) + ".",
        description="A row a benchmark: " + "; ".join(f"{row.name[0]} {row.verdict}" for row in value.rows),
        notes=tuple(notes),
        tables=(Table("Every benchmark", headings, rows, left=headings[:2], bad=bad),),
    )


def draw(value: Gated, figure: Figure) -> None:
    """Head over base, the worst first."""
    if not value.rows:
        figure.text(0.02, 0.5, "Nothing was timed: the counts had decided before.")
        return
    draw_rows(value.rows, Margins().margin, "time of head / time of base", figure)
