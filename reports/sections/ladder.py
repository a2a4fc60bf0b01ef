"""Lookups and time after each patch of the series of 2018."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from qcaps.lookups.policy import LADDER
from qcaps.measure.statistics import FEWEST_PAIRS
from qcaps.report.section import Content, Table
from qcaps.report.summary import median_seconds, ratio_of
from qcaps.units import duration

from ._drawing import BLUE, VERMILION, Spacing, hover, is_narrow, panels
from ._words import count, paired, quoted_validity, too_few

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from qcaps.measure.cell import Cell
    from qcaps.measure.results.results_file import Measured
    from qcaps.report.sources import Sources

ORDER = 70
PART = "History"
HEADING = "The series of 2018, patch by patch"
MISSING = "the 11 steps of the series were not measured: qcaps run ladder"
_TASKS = ("define", "start", "createXML")
_FIRST = "naive"
_STEPS = (_FIRST, *(policy.name for policy in LADDER))
_MILLI = 1e3


@dataclass(frozen=True)
class Step:
    """After `patch` patches: lookups, seconds, and how many times as fast as before the series."""

    patch: int
    lookups: int
    seconds: float
    ratio: float
    low: float
    high: float
    pairs: int


@dataclass(frozen=True)
class Ladder:
    """One task."""

    task: str
    scenario: str
    n: int
    devices: int
    validity: str
    steps: tuple[Step, ...]


def data(sources: Sources) -> tuple[Ladder, ...] | None:
    """Each task's ladder, on the domain that has most of its steps."""
    found: dict[str, Ladder] = {}
    for comparison, arms in sources.reference.by_comparison().items():
        made = _ladder(comparison, arms)
        known = found.get(comparison.task)
        if made is not None and (known is None or len(made.steps) > len(known.steps)):
            found[comparison.task] = made
    order = [*(task for task in _TASKS if task in found), *(task for task in found if task not in _TASKS)]
    return tuple(found[task] for task in order[:3]) or None


def content(value: tuple[Ladder, ...]) -> Content:
    """Which patch takes most lookups away, and what all of them make of the time."""
    parts = []
    for ladder in value:
        first, last = ladder.steps[0], ladder.steps[-1]
        gain = "" if too_few(last) else f" ({paired(last)} times as fast)"
        parts.append(f"{ladder.task} {first.lookups} to {last.lookups} lookups{gain}")
    few = [ladder.steps[-1] for ladder in value if too_few(ladder.steps[-1])]
    unsure = f"; {count(few[0].pairs, 'pair')}: too few to say what time that saves" if few else ""
    steps = pairwise(value[0].steps)
    _, best = max(steps, key=lambda pair: pair[0].lookups - pair[1].lookups)
    headings = ("task", "patch", "what it does", "lookups", "median time", "times as fast [95 %]")
    rows = tuple(
        (
            ladder.task,
            str(step.patch),
            "before the series" if step.patch == 0 else LADDER[step.patch - 1].stands_for.partition(": ")[2],
            str(step.lookups),
            duration(step.seconds),
            "" if step.patch == 0 else paired(step),
        )
        for ladder in value
        for step in ladder.steps
    )
    domain = value[0]
    return Content(
        f"History: patch {best.patch} of the series takes most lookups away: {', '.join(parts)}{unsure}.",
        description="; ".join(
            f"{ladder.task}: lookups {', '.join(str(step.lookups) for step in ladder.steps)}"
            for ladder in value
        ),
        notes=(
            (
                f"{domain.scenario}/{domain.n}, {domain.devices} devices, under"
                f" {quoted_validity(domain.validity)}. 0 is the variant before the series. The steps are a"
                " reconstruction from the patches' titles and file lists. Dots and bars: the time before the"
                " series by the ratio to it, and by its 95 % interval; the table has medians."
            ),
        ),
        tables=(Table("Each step", headings, rows, left=("task", "what it does")),),
    )


def draw(value: tuple[Ladder, ...], figure: Figure) -> None:
    """Lookups above, time below; a column a task, or on a phone below each other."""
    if is_narrow(figure):
        grid = panels(figure, 2 * len(value), 1, 1.05, Spacing(head=0.0, left=0.58))
        pairs = [(grid[2 * number][0], grid[2 * number + 1][0]) for number in range(len(value))]
    else:
        grid = panels(figure, 2, len(value), 1.45, Spacing(head=0.0), sharex=True)
        pairs = [(grid[0][number], grid[1][number]) for number in range(len(value))]
    for number, ((above, below), ladder) in enumerate(zip(pairs, value, strict=True)):
        patches = [step.patch for step in ladder.steps]
        above.set_title(f"{ladder.task}: lookups")
        above.bar(patches, [step.lookups for step in ladder.steps], color=BLUE, width=0.72)
        for step in ladder.steps:
            above.annotate(
                str(step.lookups), (step.patch, step.lookups), (0, 1.5), textcoords="offset points",
                ha="center",
                fontsize=7.5,
            )  # fmt: skip
        above.set_ylim(0, max(step.lookups for step in ladder.steps) * 1.18)
        below.set_title(f"{ladder.task}: time (ms)")
        # the time of step 0 by each ratio: a dot and its interval are of one estimate
        whole = ladder.steps[0].seconds * _MILLI
        seconds = [whole / step.ratio for step in ladder.steps]
        marks = below.plot(patches, seconds, color=VERMILION, marker="o", linewidth=1.2)
        hover(
            marks,
            [
                f"after patch {one.patch}: {one.lookups} lookups, {paired(one)} times as fast"
                for one in ladder.steps
            ],
        )
        sure = [step for step in ladder.steps[1:] if not too_few(step)]
        below.vlines(
            [step.patch for step in sure],
            [whole / step.high for step in sure],
            [whole / step.low for step in sure],
            color=VERMILION,
        )  # fmt: skip
        below.set_ylim(0, max(seconds) * 1.15)
        for axes in (above, below):
            axes.set_xticks(range(len(_STEPS)))
            axes.set_xlim(-0.6, len(_STEPS) - 0.4)
            axes.grid(visible=False, axis="x")
        if not is_narrow(figure) or number == len(value) - 1:
            below.set_xlabel("after patch")


def _ladder(comparison: Cell, arms: dict[str, Measured]) -> Ladder | None:
    if _FIRST not in arms or sum(name in arms for name in _STEPS) < 3:  # noqa: PLR2004  # two make no ladder
        return None
    base = arms[_FIRST]
    steps = [Step(0, base.counts.lookups, median_seconds(base), 1.0, 1.0, 1.0, FEWEST_PAIRS)]
    for patch, name in enumerate(_STEPS[1:], start=1):
        found = ratio_of(base, arms[name]) if name in arms else None
        if found is not None:
            arm = arms[name]
            steps.append(
                Step(
                    patch,
                    arm.counts.lookups,
                    median_seconds(arm),
                    found.ratio,
                    found.low,
                    found.high,
                    found.pairs,
                )
            )
    if len(steps) < 2:  # noqa: PLR2004  # likewise
        return None
    return Ladder(
        comparison.task,
        comparison.scenario,
        comparison.n,
        base.counts.devices,
        comparison.validity,
        tuple(steps),
    )
