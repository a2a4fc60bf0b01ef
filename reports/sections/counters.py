"""Counts, exactly: expected by formula, observed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qcaps.lookups import policy_laws
from qcaps.measure.subject import REFERENCE, VISITS, is_reference
from qcaps.release import R9_0, parse
from qcaps.report.section import Content, Table

if TYPE_CHECKING:
    from collections.abc import Callable

    from qcaps.measure.results.results_file import Measured
    from qcaps.release import Release
    from qcaps.report.sources import Sources

ORDER = 80
PART = "How it was measured"
HEADING = "Exact counters"
MISSING = "nothing was measured: qcaps run"
_ZERO, _ONE = 0, 1


@dataclass(frozen=True)
class Group:
    """Domains of one subject, task, policy and validity that agree with the formula, or one that does not."""

    subject: str
    task: str
    policy: str
    validity: str
    release: Release
    arms: tuple[Measured, ...]
    lookups: str
    forks: str
    agrees: bool | None


def data(sources: Sources) -> tuple[Group, ...] | None:
    """What differs first, each domain by itself; then what agrees, together."""
    groups: dict[tuple[str, str, str, str, Release, bool | None, int], list[Measured]] = {}
    for number, one in enumerate(sources.results.measured):
        cell, agrees = one.cell, _agrees(one)
        apart = number if agrees is False else -1
        key = (cell.subject, cell.task, cell.policy, cell.validity, _release(one), agrees, apart)
        groups.setdefault(key, []).append(one)
    found = [
        Group(
            *(subject, task, policy, validity, release, tuple(arms)),
            *_formulas(task, policy, validity, release),
            agrees,
        )
        for (subject, task, policy, validity, release, agrees, _), arms in groups.items()
    ]
    found.sort(key=lambda group: (group.agrees is not False, group.agrees is None))
    return tuple(found) or None


def content(value: tuple[Group, ...]) -> Content:
    """How many arms agree."""
    known = [group for group in value if group.agrees is not None]
    arms = sum(len(group.arms) for group in known)
    wrong = [group for group in known if not group.agrees]
    rest = sum(len(group.arms) for group in value) - arms
    if not known:
        finding = "No closed form is known here for what was measured"
    elif wrong:
        finding = f"{len(wrong)} of {arms} arms do NOT count what the formula says"
    else:
        finding = f"All {arms} arms with a formula count exactly what it says"
    notes = [
        "D is the number of devices of the result, implicit ones included; a hostdev interface counts twice.",
        "Lookups and forks are those of one task.",
    ]
    if rest:
        notes.append(
            f"For {rest} more arms, those of real libvirts among them, no closed form is known here."
        )
    return Content(
        finding + ".",
        notes=tuple(notes),
        tables=tuple(
            _table(caption, groups, folded=folded)
            for caption, groups, folded in (
                ("Counts that differ", wrong, False),
                ("Counts that agree", [group for group in known if group.agrees], True),
                ("Counts without a formula", [group for group in value if group.agrees is None], True),
            )
            if groups
        ),
    )


def _table(caption: str, groups: list[Group], *, folded: bool) -> Table:
    headings = (
        *("task", "policy", "validity", "domains", "devices"),
        *("lookups: formula", "expected", "observed", "forks: expected", "observed"),
    )
    columns = (headings.index("observed"), len(headings) - 1)
    bad = frozenset(
        (number, column) for number, group in enumerate(groups) if group.agrees is False for column in columns
    )
    rows = tuple(map(_row, groups))
    left = headings[:4] + headings[5:6]
    return Table(f"{caption}: {len(groups)} rows", headings, rows, left=left, bad=bad, folded=folded)


def _agrees(one: Measured) -> bool | None:
    cell, counts = one.cell, one.counts
    ruled, visits = _release(one), _visits(one)
    lookups = policy_laws.lookups(cell.policy, cell.task, visits, ruled)
    forks = policy_laws.forks(cell.policy, cell.task, cell.validity, visits, ruled)
    if not is_reference(cell.subject) or lookups is None or forks is None:
        return None
    return (lookups, forks) == (counts.lookups, counts.forks)


def _visits(one: Measured) -> int:
    """What laws call D: the devices that one validation asks for."""
    return int(str(one.runs[0].facts.get(VISITS, one.counts.devices)))


def _release(one: Measured) -> Release:
    """The release whose rules the reference followed; before there was a choice, 9.0."""
    said = one.runs[0].facts.get("release")
    return R9_0 if said is None else parse(str(said))


def _formulas(task: str, policy: str, validity: str, release: Release) -> tuple[str, str]:
    return (
        _formula(lambda devices: policy_laws.lookups(policy, task, devices, release)),
        _formula(lambda devices: policy_laws.forks(policy, task, validity, devices, release)),
    )


def _formula(law: Callable[[int], int | None]) -> str:
    """A straight line in D as text, from its values at 0 and 1."""
    constant, next_one = law(_ZERO), law(_ONE)
    if constant is None or next_one is None:
        return "none known"
    each = next_one - constant
    terms = [str(constant)] if constant or not each else []
    if each:
        terms.append("D" if each == 1 else f"{each} D")
    return " + ".join(terms)


def _row(group: Group) -> tuple[str, ...]:
    domains = dict.fromkeys(f"{one.cell.scenario}/{one.cell.n}" for one in group.arms)
    words = next(iter(domains)) if len(domains) == 1 else f"{len(domains)} domains"
    if group.subject != REFERENCE:
        words = f"{words} ({group.subject})"
    expected = [
        policy_laws.lookups(group.policy, group.task, _visits(one), group.release) for one in group.arms
    ]
    forks = [
        policy_laws.forks(group.policy, group.task, group.validity, _visits(one), group.release)
        for one in group.arms
    ]
    return (
        group.task,
        group.policy,
        group.validity,
        words,
        _span([one.counts.devices for one in group.arms]),
        group.lookups,
        _span(expected),
        _span([one.counts.lookups for one in group.arms]),
        _span(forks),
        _span([one.counts.forks for one in group.arms]),
    )


def _span(values: list[int | None] | list[int]) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return "-"
    low, high = min(known), max(known)
    return str(low) if low == high else f"{low} to {high}"
