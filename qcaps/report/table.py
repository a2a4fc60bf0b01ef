"""The results as a table: on a terminal, and as Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from qcaps.measure.cell import BASELINE, STOCK
from qcaps.measure.statistics import FEWEST_PAIRS
from qcaps.measure.subject import REFERENCE
from qcaps.report import escaping
from qcaps.report.summary import cut_short, median_seconds, speedups
from qcaps.units import duration, three_digits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.table import Table

    from qcaps.measure.cell import Cell
    from qcaps.measure.results.results_file import Measured, Results
    from qcaps.report.summary import MeasuredSpeedup

HEADINGS = (
    "subject",
    "scenario",
    "n",
    "devices",
    "task",
    "validity",
    "policy",
    "time",
    "speedup",
    "lookups",
    "forks",
)
_LEGEND = (
    "speedup: the time of `{baseline}` over the policy's, and its 95 % interval if there are pairs enough. "
    "time: the median of blocks. lookups, forks: of one task. devices: of the resulting domain."
)
MARK = "†"
"""Beside a time that rests on fewer blocks than planned."""
_LEFT = ("subject", "scenario", "task", "validity", "policy")
_OF_AN_ARM = HEADINGS[7:]
_ENOUGH = 80
"""Columns of a terminal that shows all of it."""


class TableRow(NamedTuple):
    """One arm, as text, under HEADINGS; the first row of a comparison is its baseline."""

    subject: str
    scenario: str
    n: str
    devices: str
    task: str
    validity: str
    policy: str
    time: str
    speedup: str
    lookups: str
    forks: str


def rows(results: Results, baseline: str = BASELINE) -> list[list[TableRow]]:
    """The arms of each comparison."""
    found: dict[Cell, list[TableRow]] = {comparison: [] for comparison in results.by_comparison()}
    known = {
        (one.subject, one.scenario, one.n, one.task, one.validity, one.policy): one
        for one in speedups(results, baseline)
    }
    for comparison, arms in results.by_comparison().items():
        for policy, arm in arms.items():
            cell = arm.cell
            key = (cell.subject, cell.scenario, cell.n, cell.task, cell.validity, policy)
            found[comparison].append(_row(arm, known.get(key)))
    return list(found.values())


def table(
    results: Results,
    baseline: str = BASELINE,
    refused: Mapping[Cell, str] | None = None,
    width: int = _ENOUGH,
) -> Table:
    """For a terminal of 80 columns: what the arms of a comparison share is said once, above them.

    In a narrower one devices and forks are left out, and no digit of the rest. `refused` are comparisons that
    could not be measured, and why.
    """
    from rich.table import Table  # 50 ms

    drawn = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold")
    drawn.add_column("", overflow="fold")
    shown = _OF_AN_ARM if width >= _ENOUGH else _OF_AN_ARM[:-1]
    shared = ("devices",) if width >= _ENOUGH else ()
    for heading in (*shared, *shown):
        drawn.add_column(heading, justify="right", no_wrap=True)
    for arms in rows(results, baseline):
        first = arms[0]
        on = "" if first.subject == REFERENCE else f"{first.subject} "
        devices = (first.devices,) if shared else ()
        drawn.add_row(f"{on}{first.scenario}/{first.n} {first.task} {first.validity}", *devices)
        for row in arms:
            cells = [getattr(row, heading) for heading in shown]
            drawn.add_row(f"  {row.policy}", *("" for _ in shared), *cells)
    for comparison in refused or ():
        drawn.add_row(f"{comparison.name}\n  refused: see below")
    return drawn


def markdown(results: Results, baseline: str = BASELINE) -> str:
    """For a file or a pull request: every row says all."""
    lines = [
        "| " + " | ".join(HEADINGS) + " |",
        "|" + "|".join("---" if heading in _LEFT else "---:" for heading in HEADINGS) + "|",
    ]
    said = escaping.markdown
    lines += ["| " + " | ".join(map(said, row)) + " |" for arms in rows(results, baseline) for row in arms]
    lines += ["", _LEGEND.format(baseline=baseline), *map(said, marked(results))]
    return "\n".join(lines) + "\n"


def total(results: Results, baseline: str = BASELINE) -> str:
    """What all comparisons come to, by subject and policy; "" where there is only one."""
    groups: dict[tuple[str, str], list[MeasuredSpeedup]] = {}
    for one in speedups(results, baseline):
        groups.setdefault((one.subject, one.policy), []).append(one)
    lines = []
    for (subject, policy), found in groups.items():
        if len(found) > 1:
            before, after = (sum(one.seconds[name] for one in found) for name in (found[0].baseline, policy))
            many = (
                sum(one.lookups[found[0].baseline] for one in found),
                sum(one.lookups[policy] for one in found),
            )
            lines.append(
                f"all {len(found)} on {subject}: {many[0]} lookups become {many[1]} with {policy!r},"
                f" {duration(before)} become {duration(after)}: {before / after:.2f} times as fast"
            )
    return "\n".join(lines)


def nothing_spared(results: Results) -> list[str]:
    """A line for each cell of a libvirt that looks up as often as it is as with one lookup a task."""
    return [
        f"{one.scenario}/{one.n} {one.task} on {one.subject}: looks up once already, or not at all:"
        " nothing to spare"
        for one in speedups(results)
        if one.baseline == STOCK and one.lookups[one.policy] == one.lookups[STOCK]
    ]


def marked(results: Results) -> list[str]:
    """What the mark means, if it stands anywhere: the series and what cut each short."""
    short = {one.cell.name: why for one in results.measured if (why := cut_short(one))}
    return [f"{MARK} fewer blocks than planned: {name} (worker {why})" for name, why in short.items()]


def _row(arm: Measured, speedup: MeasuredSpeedup | None) -> TableRow:
    cell, counts = arm.cell, arm.counts
    return TableRow(
        subject=cell.subject,
        scenario=cell.scenario,
        n=str(cell.n),
        devices=str(counts.devices),
        task=cell.task,
        validity=cell.validity,
        policy=cell.policy,
        time=duration(median_seconds(arm)) + (MARK if cut_short(arm) else ""),
        speedup=interval(speedup) if speedup else "",
        lookups=str(counts.lookups),
        forks=str(counts.forks),
    )


def interval(one: MeasuredSpeedup) -> str:
    """How many times as fast, and its interval where there are pairs enough for one."""
    if one.pairs < FEWEST_PAIRS:
        return f"{three_digits(one.ratio)} ({one.pairs} pair{'s' if one.pairs > 1 else ''})"
    return f"{three_digits(one.ratio)} [{three_digits(one.low)}-{three_digits(one.high)}]"
