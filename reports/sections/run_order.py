"""How quiet the machine was: deviations in the order of measuring, and the spread of blocks."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qcaps.report.section import Content, Table

from ._drawing import BLUE, INK, VERMILION, Spacing, is_narrow, panels
from ._words import percent

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from qcaps.report.sources import Sources

ORDER = 100
PART = "How it was measured"
HEADING = "Run order and spread"
MISSING = "nothing was measured in two blocks or more: qcaps run"
_MANY = 10
_BURST = 0.15
_BINS = 24
_FEWEST_FOR_DRIFT = 6


@dataclass(frozen=True)
class WorkerSpread:
    """One worker process: how far its blocks lie from the medians of their arms, as shares."""

    file: int
    worker: int
    low: float
    middle: float
    high: float


@dataclass(frozen=True)
class RunOrder:
    """Jobs in the order they ran; the median deviation of each arm's blocks, as a share of its median."""

    jobs: tuple[WorkerSpread, ...]
    spreads: tuple[tuple[str, float], ...]
    drift: float | None

    @property
    def bursts(self) -> int:
        """Jobs whose middle lies 15 % or more above the arms' medians."""
        return sum(job.middle > _BURST for job in self.jobs)


def data(sources: Sources) -> RunOrder | None:
    """All files one after the other, each worker a job."""
    deviations: dict[tuple[int, int], list[float]] = {}
    spreads = []
    for number, file in enumerate(sources.files):
        for one in file.results.measured:
            values = [value for run in one.runs for value in run.block_values]
            if len(values) < 2:  # noqa: PLR2004  # nothing to deviate from
                continue
            middle = statistics.median(values)
            spreads.append(
                (one.cell.name, statistics.median(abs(value - middle) for value in values) / middle)
            )
            for run in one.runs:
                deviations.setdefault((number, run.worker), []).extend(
                    value / middle - 1 for value in run.block_values
                )
    if not deviations:
        return None
    jobs = tuple(_job(number, worker, values) for (number, worker), values in sorted(deviations.items()))
    middles = [job.middle for job in jobs]
    half = len(middles) // 2
    drift = None
    if len(middles) >= _FEWEST_FOR_DRIFT:
        drift = statistics.median(middles[half:]) - statistics.median(middles[:half])
    return RunOrder(jobs, tuple(spreads), drift)


def content(value: RunOrder) -> Content:
    """Drift, bursts and the typical spread."""
    typical = statistics.median(spread for _, spread in value.spreads)
    finding = f"Blocks of an arm scatter by {percent(typical)} (median deviation)"
    if value.drift is not None:
        finding += (
            f"; the second half ran {percent(abs(value.drift))} {'slower' if value.drift > 0 else 'quicker'}"
        )
    if value.bursts:
        finding += (
            f"; {value.bursts} of {len(value.jobs)} jobs ran {percent(_BURST)} slower than their like or more"
        )
    worst = sorted(value.spreads, key=lambda one: -one[1])[:_MANY]
    return Content(
        finding + ".",
        description=f"A bar for each of {len(value.jobs)} jobs in the order they ran; a histogram of spread.",
        notes=(
            (
                "A job is one worker process, which times all arms of one comparison in turn. Bars: 10 to"
                " 90 % of its blocks, marks: their median, against the median of each block's own arm over"
                " all jobs. A burst of noise is a row of high bars; since arms take turns within a job, it"
                " strikes them alike."
            ),
        ),
        tables=(
            Table(
                "Arms that scatter most",
                ("arm", "median deviation"),
                tuple((name, percent(spread)) for name, spread in worst),
                left=("arm",),
            ),
        ),
    )


def draw(value: RunOrder, figure: Figure) -> None:
    """The strip, and beside or below it how blocks spread."""
    if is_narrow(figure):
        grid = panels(figure, 2, 1, 1.5, Spacing(head=0.05))
        strip, spread = grid[0][0], grid[1][0]
    else:
        grid = panels(figure, 1, 2, 1.9, Spacing(head=0.05), width_ratios=(2.6, 1))
        strip, spread = grid[0]
    places = range(1, len(value.jobs) + 1)
    strip.axhline(0, color=INK, linewidth=0.7)
    lows, highs = [100 * job.low for job in value.jobs], [100 * job.high for job in value.jobs]
    middles = [100 * job.middle for job in value.jobs]
    strip.vlines(
        places, lows, highs, color=BLUE, linewidth=max(0.5, min(3.0, 150 / len(value.jobs))), alpha=0.55
    )
    strip.plot(places, middles, linestyle="", marker="o", markersize=2.2, color=VERMILION, markeredgewidth=0)
    shown = sorted(highs)[int(0.97 * (len(highs) - 1))]
    strip.set_ylim(min(-5.0, *lows) * 1.1, max(10.0, shown * 1.15, max(middles) * 1.1))
    strip.set_xlim(0, len(value.jobs) + 1)
    strip.set_title("deviation from the median (%)")
    strip.set_xlabel("job, in the order they ran")
    shares = [100 * share for _, share in value.spreads]
    spread.hist(shares, bins=_BINS if len(shares) > _BINS else max(len(shares), 1), color=BLUE)
    spread.set_title("arms")
    spread.set_xlabel("median deviation of blocks (%)")
    spread.set_xlim(left=0)


def _job(file: int, worker: int, values: list[float]) -> WorkerSpread:
    ranked = sorted(values)
    last = len(ranked) - 1
    return WorkerSpread(
        file, worker, ranked[round(0.1 * last)], statistics.median(ranked), ranked[round(0.9 * last)]
    )
