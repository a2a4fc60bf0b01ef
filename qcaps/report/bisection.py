"""What a bisection found: a table, a figure, JSON, and a line that claims no more than it may."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qcaps.content import SHIPPED
from qcaps.errors import visible
from qcaps.files import replacing
from qcaps.measure.bisect import judging
from qcaps.measure.bisect.bisection import COUNTS
from qcaps.measure.bisect.search import BisectSide
from qcaps.report import escaping

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.figure import Figure
    from rich.table import Table

    from qcaps.measure.bisect.bisection import Bisection
    from qcaps.measure.bisect.graph import Commit
    from qcaps.measure.bisect.search import BisectStep

_COLOURS = {BisectSide.GOOD: "#2a7f4f", BisectSide.BAD: "#b3261e", BisectSide.SKIPPED: "#6b6b6b"}
_MARKS = {BisectSide.GOOD: "o", BisectSide.BAD: "s", BisectSide.SKIPPED: "x"}
_MOST_CHANGES = 3
_HEADINGS = ("step", "commit", "it is", "measured", "subject")


@dataclass(frozen=True)
class BisectReport:
    """A bisection beside the commits it went through, from the good end to the bad one, parents first."""

    found: Bisection
    commits: tuple[Commit, ...]

    @property
    def first_bad(self) -> str | None:
        """The first bad commit where it is sure, else None."""
        left = self.found.search.left()
        return left[0] if self.found.finished and len(left) == 1 else None

    @property
    def lines(self) -> list[str]:
        """The answer, and what it leaves open."""
        left = self.found.search.left()
        if not self.found.finished:
            return [f"not finished: the first bad commit is one of {len(left)}"]
        if (first := self.first_bad) is None:
            names = ", ".join(one[:12] for one in sorted(left, key=self.place))
            return [f"one of {len(left)} commits, and it cannot be told which: {names}"]
        step = self._step(first)
        lines = [f"first bad commit: {first[:12]} {self.subject(first)}", *self._changes(step)]
        if step.why:
            lines.append(f"{step.why}; 'qcaps bisect {first[:12]} {self.ends[1].commit[:12]}' finds the rest")
        return lines

    @property
    def ends(self) -> tuple[BisectStep, BisectStep]:
        """The good one and the bad one."""
        good, bad, *_ = self.found.search.steps
        return good, bad

    def measured(self, step: BisectStep) -> str:
        """What a step measured, in a few words."""
        if step.ratio is not None and step.low is not None and step.high is not None:
            low, high = 100 * (step.low - 1), 100 * (step.high - 1)
            return f"{100 * (step.ratio - 1):+.1f} % ({low:+.1f} to {high:+.1f}), {step.pairs} pairs"
        if step.side is BisectSide.SKIPPED:
            return step.why
        if self.found.by == COUNTS and step.counts:
            good, bad = self.ends
            keys = judging.differing(good.counts, bad.counts) if bad.counts else []
            return "; ".join(f"{what} {step.counts[name][what]}" for name, what in keys[:1])
        return ""

    def _changes(self, step: BisectStep) -> list[str]:
        good, _ = self.ends
        if self.found.by != COUNTS:
            change = self.found.change
            assert change is not None
            if step.ratio is None:
                return [f"{change.cell.name}: the bad end, {100 * (change.found.ratio - 1):+.1f} %"]
            return [f"{change.cell.name}: {self.measured(step)} against the good end"]
        keys = judging.differing(good.counts, step.counts)
        said = [f"{name}: {what} {step.counts[name][what]}, {good.counts[name][what]} in good"
                for name, what in keys[:_MOST_CHANGES]]  # fmt: skip
        more = len(keys) - _MOST_CHANGES
        return [*said, *([f"and {more} counts more"] if more > 0 else [])]

    def _step(self, commit: str) -> BisectStep:
        return next(one for one in self.found.search.steps if one.commit == commit)

    def subject(self, commit: str) -> str:
        """The first line of a commit's message."""
        return next((one.subject for one in self.commits if one.name == commit), "")

    def place(self, commit: str) -> int:
        """How many commits come before it, parents first."""
        return next((n for n, one in enumerate(self.commits) if one.name == commit), 0)


def table(report: BisectReport) -> Table:
    """The steps in the order they were asked, for a terminal."""
    from rich.table import Table

    drawn = Table(box=None, pad_edge=False, header_style="bold")
    for heading in _HEADINGS:
        drawn.add_column(heading, overflow="fold", justify="right" if heading == "step" else "left")
    for row in _rows(report):
        drawn.add_row(*row)
    return drawn


def markdown(report: BisectReport) -> str:
    """The answer and the steps, for a comment."""
    said = escaping.markdown
    lines = [f"### {said(report.lines[0])}", "", *(f"* {said(line)}" for line in report.lines[1:]), ""]
    lines += ["| " + " | ".join(_HEADINGS) + " |", "|" + "---|" * len(_HEADINGS)]
    lines += ["| " + " | ".join(map(said, row)) + " |" for row in _rows(report)]
    return "\n".join(lines) + "\n"


def to_json(report: BisectReport) -> dict[str, Any]:
    """The answer; `first_bad` is null where it is not sure, `left` are those it may be."""
    found = report.found
    return {
        "by": found.by,
        "finished": found.finished,
        "first_bad": report.first_bad,
        "left": found.search.left(),
        "lines": report.lines,
        "benchmark": found.change.cell.name if found.change else None,
        "steps": [{**one.to_plain(), "subject": report.subject(one.commit)} for one in found.search.steps],
    }


def draw(report: BisectReport, path: Path) -> None:
    """The steps over the history, as SVG: what each measured, and when. Raises QcapsError."""
    import matplotlib as mpl  # 0.3 s
    from matplotlib.figure import Figure

    style = SHIPPED.find_file("reports", "style.mplstyle")
    with mpl.rc_context({"text.parse_math": False, "text.usetex": False}, fname=style):
        figure = Figure(figsize=(8.4, 3.6))
        _plot(report, figure)
        made = io.BytesIO()
        figure.savefig(made, format="svg", metadata={"Date": None}, bbox_inches="tight")
    with replacing(path) as file:
        file.write(visible(made.getvalue().decode()).encode())


def _plot(report: BisectReport, figure: Figure) -> None:
    axes = figure.subplots()
    steps = report.found.search.steps
    values = [_value(report, one) for one in steps]
    known = [one for one in values if one is not None]
    lowest = min(known, default=0.0)
    for number, (step, value) in enumerate(zip(steps, values, strict=True), 1):
        place = report.place(step.commit)
        shown = lowest if value is None else value
        if step.low is not None and step.high is not None:
            axes.vlines(place, 100 * (step.low - 1), 100 * (step.high - 1), color=_COLOURS[step.side], lw=1)
        axes.plot(place, shown, _MARKS[step.side], color=_COLOURS[step.side], ms=6)
        axes.annotate(
            str(number), (place, shown), (0, 7), textcoords="offset points", ha="center", fontsize=8
        )
    for side, mark in _MARKS.items():
        if any(one.side is side for one in steps):
            axes.plot([], [], mark, color=_COLOURS[side], label=str(side))
    if report.first_bad:
        axes.axvline(report.place(report.first_bad), color="#b3261e", lw=0.8, ls=":")
    axes.set_xlabel("commits after the good one; numbers: the order they were asked in")
    axes.set_ylabel(_axis(report))
    axes.margins(0.04, 0.2)
    axes.legend(loc="best", frameon=False)
    axes.set_title(visible(report.lines[0])[:100], loc="left", fontsize=10)


def _axis(report: BisectReport) -> str:
    if report.found.by == COUNTS:
        keys = _keys(report)
        return f"{keys[0][1]}: {keys[0][0]}" if keys else "counts"
    return "time against the good one, %"


def _keys(report: BisectReport) -> list[tuple[str, str]]:
    good, bad = report.ends
    return judging.differing(good.counts, bad.counts) if good.counts and bad.counts else []


def _value(report: BisectReport, step: BisectStep) -> float | None:
    if report.found.by == COUNTS:
        keys = _keys(report)
        return float(step.counts[keys[0][0]][keys[0][1]]) if keys and step.counts else None
    if step.ratio is not None:
        return 100 * (step.ratio - 1)
    good, bad = report.ends
    if step is good:
        return 0.0
    change = report.found.change
    return 100 * (change.found.ratio - 1) if step is bad and change else None


def _rows(report: BisectReport) -> Sequence[tuple[str, ...]]:
    return [
        (str(number), one.commit[:12], str(one.side), report.measured(one), report.subject(one.commit))
        for number, one in enumerate(report.found.search.steps, 1)
    ]
