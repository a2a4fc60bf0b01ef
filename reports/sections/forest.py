"""Every ratio with its interval against margins, coloured by what it says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qcaps.measure.gate.verdict import Lies, Margins, lies
from qcaps.measure.statistics import FEWEST_PAIRS
from qcaps.measure.subject import REFERENCE
from qcaps.report.section import Content, Table
from qcaps.report.sources import of_subject
from qcaps.report.summary import speedups

from ._forest import TOO_FEW, ForestRow, draw_rows
from ._words import paired, percent, times, too_few

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from qcaps.report.sources import Sources
    from qcaps.report.summary import MeasuredSpeedup

ORDER = 75
PART = "How it was measured"
HEADING = "Every comparison"
MISSING = "no policy was measured beside the baseline 'naive': qcaps run"
MOST_ROWS = 34
_MARGINS = Margins()


@dataclass(frozen=True)
class Forest:
    """All rows; those shown in the figure are the ones that say least, and then `once`."""

    rows: tuple[ForestRow, ...]
    shown: tuple[ForestRow, ...]
    baselines: tuple[str, ...]
    """Of the reference, and of libvirts, where there are both."""

    @property
    def against(self) -> str:
        """What the policies are held against, in words."""
        return " or ".join(f"'{name}'" for name in self.baselines)


def data(sources: Sources) -> Forest | None:
    """Every policy against the baseline, on every subject."""
    rows: list[ForestRow] = []
    baselines: dict[str, None] = {}
    for subject in dict.fromkeys(one.cell.subject for one in sources.results.measured):
        own = speedups(of_subject(sources.results, subject))
        rows += [_row(one, "" if subject == REFERENCE else f" ({subject})") for one in own]
        baselines |= dict.fromkeys(one.baseline for one in own)
    if not rows:
        return None
    ranked = sorted(range(len(rows)), key=lambda number: (_interest(rows[number]), number))
    chosen = sorted(ranked[:MOST_ROWS])
    return Forest(tuple(rows), tuple(rows[number] for number in chosen), tuple(baselines))


def content(value: Forest) -> Content:
    """How many say what."""
    counts = {name: sum(row.verdict == name for row in value.rows) for name in _NAMES}
    said = ", ".join(f"{number} {name}" for name, number in counts.items() if number)
    note = (
        f"Faster: the whole 95 % interval beyond {percent(_MARGINS.delta)}. No different: all of it within"
        f" {percent(_MARGINS.margin)}. Too few pairs: fewer than {FEWEST_PAIRS}, and nothing is said."
    )
    left = len(value.rows) - len(value.shown)
    if left:
        note += (
            f" {left} more stand in the table only: the figure has 'once' first, then what is least clear."
        )
    rows = tuple((*row.name, row.verdict, *row.told.split(" ", 1)) for row in value.rows)
    headings = ("domain, task, validity", "policy", "verdict", "times as fast", "95 % interval, or pairs")
    table = Table(f"Every policy against {value.against}", headings, rows, left=headings[:3])
    return Content(
        f"Of {len(value.rows)} comparisons with {value.against}: {said}.",
        description="A row a comparison: "
        + "; ".join(f"{', '.join(row.name)}: {times(row.ratio)} ({row.verdict})" for row in value.shown),
        notes=(note,),
        tables=(table,),
    )


def draw(value: Forest, figure: Figure) -> None:
    """The rows that are shown."""
    draw_rows(value.shown, _MARGINS.margin, f"times as fast as {value.against}", figure)


_NAMES = (Lies.FASTER, Lies.SAME, Lies.SLOWER, Lies.OPEN, TOO_FEW)


def _row(one: MeasuredSpeedup, subject: str) -> ForestRow:
    name = (f"{one.scenario}/{one.n} {one.task} {one.validity}{subject}", one.policy)
    return ForestRow(name, _verdict(one), one.ratio, one.low, one.high, paired(one))


def _verdict(one: MeasuredSpeedup) -> str:
    """As a gate places it, whose ratios are the other way round: the policy's time over the baseline's."""
    return TOO_FEW if too_few(one) else lies(1 / one.high, 1 / one.low, _MARGINS)


def _interest(row: ForestRow) -> int:
    if row.name[1] == "once":
        return 0
    return {"slower": 1, "undecided": 2, "no different": 3, TOO_FEW: 5}.get(row.verdict, 4)
