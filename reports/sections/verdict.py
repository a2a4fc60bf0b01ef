"""The verdict first: what is faster, by how much, how sure, on which machine."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qcaps.measure.cell import BASELINE
from qcaps.measure.gate.verdict import Margins
from qcaps.measure.statistics import FEWEST_PAIRS
from qcaps.report.section import Content, Table
from qcaps.report.sources import of_subject
from qcaps.report.summary import paired_differences, speedups

from ._words import count, domain_name, interval, paired, percent, quoted_validity, task_name, times, too_few

if TYPE_CHECKING:
    from qcaps.report.sources import Gate, Sources
    from qcaps.report.summary import MeasuredSpeedup

ORDER = 8
PART = "The reference"
HEADING = "What sharing one lookup buys"
MISSING = "no policy was measured beside the baseline 'naive': qcaps run"
TEMPLATE = "verdict.html.j2"
_PREFERRED = ("once", "series")
_VALIDITIES = ("ctime", "fork")
_MOST_CARDS = 4
_POWER_AND_TAIL = 1.96 + 1.28
"""Standard errors between 0 and a change whose interval leaves 0 out in nine of ten runs."""


@dataclass(frozen=True)
class Card:
    """One answer: how many times as fast, on what."""

    big: str
    words: str
    how_sure: str


@dataclass(frozen=True)
class Summary:
    """Answers in the order of their weight. `detectable` is a share; `few` have too few pairs to say."""

    cards: tuple[Card, ...]
    machine: str
    best: tuple[MeasuredSpeedup, ...]
    faster: int
    slower: int
    unclear: int
    few: int
    detectable: float | None
    gates: tuple[Gate, ...]


def data(sources: Sources) -> Summary | None:
    """The virt-install guest under each validity, and the greatest gain; or what a gate found."""
    found = speedups(sources.reference) or speedups(sources.results)
    if not found and not sources.gates:
        return None
    best = tuple(_picks(found))
    margin = 1 + Margins().delta
    sure = [one for one in found if one.pairs >= FEWEST_PAIRS]
    return Summary(
        tuple(_card(one) for one in best),
        _machine(sources),
        best,
        sum(one.low > margin for one in sure),
        sum(one.high < 1 / margin for one in sure),
        sum(one.low <= margin and one.high >= 1 / margin for one in sure),
        len(found) - len(sure),
        _detectable(sources),
        sources.gates,
    )


def content(value: Summary) -> Content:
    """One sentence, and the table for a pull request."""
    if not value.best:
        return Content("; ".join(f"Gate: {gate.headline}" for gate in value.gates) + ".")
    one, *others = value.best
    where = f"{task_name(one.task)} of {_domain(one)}, {quoted_validity(one.validity)}"
    told = _told(one)
    if told is None:
        finding = f"'{one.policy}' is {_ratio(one)} as '{one.baseline}' ({where})"
    else:
        finding = f"Whether '{one.policy}' is faster than '{one.baseline}' cannot be told ({where}: {told})"
    if others:
        other = others[0]
        unsure = "" if (why := _told(other)) is None else f" ({why})"
        ratio = f"{times(other.ratio)} times{unsure}" if unsure else _ratio(other)
        finding += f"; on {_domain(other)} under {quoted_validity(other.validity)} it is {ratio}"
    many = value.faster + value.slower + value.unclear + value.few
    few = f", {value.few} rest on fewer than {FEWEST_PAIRS} pairs and say nothing" if value.few else ""
    notes = [
        "Of the reference, whose time is Python's: the ratios speak of lookups, the times of no libvirt.",
        (
            f"Of {count(many, 'comparison')} with '{one.baseline}', {value.faster} are surely faster,"
            f" {value.slower} surely slower (by more than {percent(Margins().delta)}), {value.unclear}"
            f" neither, at 95 % each{few}."
        ),
    ]
    if value.detectable is not None:
        notes.append(
            f"The smallest change this run could have seen, in nine of ten runs: {percent(value.detectable)}"
            " (median over the comparisons)."
        )
    notes += [f"Gate of {gate.head} against {gate.base}: {gate.headline}." for gate in value.gates]
    notes.append(f"Measured on {value.machine}.")
    return Content(finding + ".", notes=tuple(notes), tables=(_table(value),))


def _ratio(one: MeasuredSpeedup) -> str:
    return f"{times(one.ratio)} times as fast [{interval(one.low, one.high)}]"


def _told(one: MeasuredSpeedup) -> str | None:
    """Why nothing can be said of a ratio; None where something can."""
    if too_few(one):
        return f"{count(one.pairs, 'pair')}, too few to be sure"
    return f"95 % interval {interval(one.low, one.high)}" if one.low <= 1 <= one.high else None


def _picks(found: tuple[MeasuredSpeedup, ...]) -> list[MeasuredSpeedup]:
    """Simple guests under each validity, largest gains under each; by the best policy measured."""
    policy = next((name for name in _PREFERRED if any(one.policy == name for one in found)), None)
    own = [one for one in found if policy in (one.policy, None)]
    names = [name for name in _VALIDITIES if any(one.validity == name for one in own)]
    names = names or list(dict.fromkeys(one.validity for one in own))[:2]
    picks: list[MeasuredSpeedup] = []
    for validity in names:
        here = [one for one in own if one.validity == validity]
        guests = [one for one in here if one.scenario == "simple" and one.task.startswith("define")]
        largest = max(here, key=lambda one: one.devices)
        picks += [one for one in (*guests[:1], largest) if one not in picks]
    return picks[:_MOST_CARDS]


def _card(one: MeasuredSpeedup) -> Card:
    lookups = f"{one.lookups[one.baseline]} lookups become {one.lookups[one.policy]}"
    return Card(
        f"{times(one.ratio)}\N{MULTIPLICATION SIGN}",
        f"'{one.policy}' against '{one.baseline}': {task_name(one.task)} of {_domain(one)},"
        f" {quoted_validity(one.validity)}",
        f"{_how_sure(one)}; {lookups}",
    )


def _how_sure(one: MeasuredSpeedup) -> str:
    if too_few(one):
        return f"{count(one.pairs, 'pair')}: too few to be sure"
    return f"95 %: {interval(one.low, one.high)}, {one.pairs} pairs"


def _domain(one: MeasuredSpeedup) -> str:
    return f"{domain_name(one.scenario, one.n)} ({one.devices} devices)"


def _machine(sources: Sources) -> str:
    machines = dict.fromkeys(
        f"{facts.get('cpu_model_name', 'an unknown CPU')}, {facts.get('cpu_count', '?')} CPUs,"
        f" {facts.get('platform', 'unknown system')}, Python {facts.get('python_version', '?')}"
        for file in sources.files
        if (facts := file.facts)
    )
    loads = [float(load) for file in sources.files if (load := file.facts.get("load_avg_1min")) is not None]
    busy = f" (load {max(loads):.2g} when it began)" if loads else ""
    return ("; ".join(machines) or "an unknown machine") + busy


def _detectable(sources: Sources) -> float | None:
    """The median over comparisons of a change whose interval would leave 0 out in nine of ten runs."""
    shares = []
    for subject in dict.fromkeys(one.cell.subject for one in sources.results.measured):
        for arms in of_subject(sources.results, subject).by_comparison().values():
            base = arms.get(BASELINE)
            for policy, arm in arms.items():
                logs = paired_differences(base, arm) if base is not None and policy != BASELINE else []
                if len(logs) > 1:
                    middle = statistics.median(logs)
                    # 1.4826 makes the median deviation of normal noise its standard deviation
                    deviation = 1.4826 * statistics.median(abs(one - middle) for one in logs)
                    shares.append(math.expm1(_POWER_AND_TAIL * deviation / math.sqrt(len(logs))))
    return statistics.median(shares) if shares else None


def _table(value: Summary) -> Table:
    rows = tuple(
        (
            f"{one.scenario}/{one.n}",
            one.task,
            one.validity,
            one.policy,
            paired(one),
            f"{one.lookups[one.baseline]} → {one.lookups[one.policy]}",
            f"{one.forks[one.baseline]} → {one.forks[one.policy]}",
        )
        for one in value.best
    )
    headings = ("domain", "task", "validity", "policy", "times as fast [95 %]", "lookups", "forks")
    return Table("The main comparisons", headings, rows, left=("domain", "task", "validity", "policy"))
