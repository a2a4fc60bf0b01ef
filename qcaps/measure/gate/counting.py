"""Counts before clocks: a task's in base, in head and by the closed form are integers and must agree."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from qcaps.lookups import policy_laws
from qcaps.measure.subject import VISITS, is_reference, ruled_by

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from qcaps.measure.cell import Cell
    from qcaps.measure.subject import Counts

COUNTED = ("devices", "lookups", "validations", "forks", "probes")
Lookups = tuple[tuple[str, str], ...]
"""Site and device of each lookup of a task, in order."""

_MOST_NAMED = 3


@dataclass(frozen=True)
class CountFault:
    """A count that is not what it must be: `expected` by `against` ("base" or "the closed form")."""

    cell: Cell
    what: str
    expected: int
    found: int
    against: str
    where: str = ""

    def __str__(self) -> str:
        where = f": {self.where}" if self.where else ""
        return f"{self.cell.name}: {self.what} {self.found}, {self.expected} in {self.against}{where}"


class Laws(NamedTuple):
    """Lookups and forks by the closed form; None where there is none."""

    lookups: int | None = None
    forks: int | None = None


def faults(
    cell: Cell, base: Counts | None, head: Counts, laws: Laws, *, devices_may: bool = False
) -> Iterator[CountFault]:
    """Each count of head that differs from base's or, where it does not, from the closed form.

    `laws` are head's. `devices_may` differ where two versions of libvirt
    add other devices: a lookup for each of these is no fault then.
    """
    differing = set()
    for what in COUNTED:
        if what == "devices" and devices_may:
            continue
        expected = getattr(base, what) if base is not None else getattr(head, what)
        if base is not None and devices_may and what in ("lookups", "validations") and _follows(base, head):
            expected = getattr(head, what)
        if getattr(head, what) != expected:
            differing.add(what)
            yield CountFault(cell, what, expected, getattr(head, what), "base", _site(base, head, what))
    for what, law in (
        ("lookups", laws.lookups),
        ("forks", laws.forks),
        ("probes", 0 if laws.lookups is not None else None),
    ):
        if law not in (None, getattr(head, what)) and what not in differing:
            assert law is not None
            yield CountFault(cell, what, law, getattr(head, what), "the closed form")


def told_apart(
    found: Iterable[CountFault], *, fewer_is_better: bool
) -> tuple[list[CountFault], list[CountFault]]:
    """Faults, and what is none: a libvirt that looks up less often than base or its law is a better one.

    The reference is held to its counts in both directions: fewer would mean that it models less.
    """
    worse: list[CountFault] = []
    better: list[CountFault] = []
    for one in found:
        fewer = (
            fewer_is_better and one.what in ("lookups", "validations", "forks") and one.found < one.expected
        )
        (better if fewer else worse).append(one)
    return worse, better


def of_reference(cell: Cell, head: Counts, facts: Mapping[str, object]) -> Laws:
    """What the reference does by its closed forms; nothing for another subject. `facts` are the arm's."""
    if not is_reference(cell.subject):
        return Laws()
    ruled, visits = ruled_by(cell.subject, cell.policy), int(str(facts.get(VISITS, head.devices)))
    return Laws(
        policy_laws.lookups(cell.policy, cell.task, visits, ruled),
        policy_laws.forks(cell.policy, cell.task, cell.validity, visits, ruled),
    )


def alike(base: Counts, head: Counts) -> bool:
    """Whether both look up as often, but for one lookup a device that only one of them has."""
    return head.lookups == base.lookups or _follows(base, head)


def _follows(base: Counts, head: Counts) -> bool:
    """Whether head looks up once more for each device more, and no more than that: the law of a parse."""
    return head.lookups - base.lookups == head.devices - base.devices


def name_difference(base: Lookups, head: Lookups) -> str:
    """The sites and devices that look up in head but not in base, or the reverse, the most telling first."""
    more, fewer = Counter(head) - Counter(base), Counter(base) - Counter(head)
    parts = [_named(found, sign) for found, sign in ((more, "+"), (fewer, "-")) if found]
    return "; ".join(parts)


def name_repeated(head: Lookups) -> str:
    """Where the lookups of a task are, when there is no base to hold it against: the most frequent site."""
    if not head:
        return ""
    (site, count), *_ = Counter(site for site, _ in head).most_common()
    devices = [device for one, device in head if one == site and device]
    return f"{count} at '{site}'" + (f" ({_few(devices)})" if devices else "")


def _site(base: Counts | None, head: Counts, what: str) -> str:
    """The sites whose lookups changed, where counts alone tell."""
    if base is None or what != "lookups":
        return ""
    change = {
        site: head.sites.get(site, 0) - base.sites.get(site, 0)
        for site in dict.fromkeys((*head.sites, *base.sites))
    }
    return ", ".join(f"{count:+d} at '{site}'" for site, count in change.items() if count)


def _named(found: Counter[tuple[str, str]], sign: str) -> str:
    by_site: dict[str, list[str]] = {}
    for site, device in found.elements():
        by_site.setdefault(site, []).append(device)
    return ", ".join(
        f"{sign}{len(devices)} at '{site}'"
        + (f" ({_few(named)})" if (named := [d for d in devices if d]) else "")
        for site, devices in by_site.items()
    )


def _few(devices: Sequence[str]) -> str:
    rest = len(devices) - _MOST_NAMED
    return ", ".join(devices[:_MOST_NAMED]) + (f" and {rest} more" if rest > 0 else "")
