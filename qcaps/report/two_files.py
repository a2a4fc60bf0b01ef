"""Two results files side by side, for people: how the second differs from the first."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from qcaps.report.fitting import fitted
from qcaps.report.summary import median_seconds
from qcaps.units import duration

if TYPE_CHECKING:
    from rich.text import Text

    from qcaps.measure.results.results_file import Results

HEADINGS = ("benchmark", "A", "B", "B / A", "lookups A", "lookups B", "forks A", "forks B")


@dataclass(frozen=True)
class Difference:
    """One benchmark in two files. Seconds are medians of blocks, None where a file lacks it."""

    name: str
    seconds: tuple[float | None, float | None]
    lookups: tuple[int | None, int | None]
    forks: tuple[int | None, int | None]

    @property
    def ratio(self) -> float | None:
        """The second file's time over the first's."""
        one, other = self.seconds
        return other / one if one and other else None


def differences(one: Results, other: Results) -> list[Difference]:
    """All benchmarks of both files, those of the first first."""
    sides = [{found.cell: found for found in results.measured} for results in (one, other)]
    found = []
    for cell in dict.fromkeys((*sides[0], *sides[1])):
        a, b = (side.get(cell) for side in sides)
        found.append(
            Difference(
                cell.name,
                (median_seconds(a) if a else None, median_seconds(b) if b else None),
                (a.counts.lookups if a else None, b.counts.lookups if b else None),
                (a.counts.forks if a else None, b.counts.forks if b else None),
            )
        )
    return found


def to_json(found: list[Difference]) -> list[dict[str, Any]]:
    """As JSON can hold them."""
    return [{**asdict(one), "ratio": one.ratio} for one in found]


def table(found: list[Difference], width: int) -> Text:
    """For a terminal of so many columns; counts that differ stand out."""
    rows, styles = [], []
    for one in found:
        ratio = "" if one.ratio is None else f"{one.ratio:.3f}"
        times = ("" if value is None else duration(value) for value in one.seconds)
        counts = ("" if value is None else str(value) for value in (*one.lookups, *one.forks))
        rows.append((one.name, *times, ratio, *counts))
        differs = one.lookups[0] != one.lookups[1] or one.forks[0] != one.forks[1]
        styles.append("bold" if differs else "")
    return fitted(HEADINGS, rows, width, drop=("forks A", "forks B"), styles=styles)
