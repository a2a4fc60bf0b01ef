"""What live subjects were measured for, to stand beside the reference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qcaps.measure.subject import is_libvirt
from qcaps.report.summary import median_seconds, ratio_of

from ._growth import Key

if TYPE_CHECKING:
    from qcaps.measure.results.results_file import Measured
    from qcaps.measure.statistics import Ratio
    from qcaps.report.sources import Sources

_PREFERRED = ("once", "series")
ONCE = "once"


@dataclass(frozen=True)
class SpeedupPoint:
    """The speedup at one device count, and its 95 % interval."""

    devices: int
    ratio: float
    low: float
    high: float
    pairs: int


@dataclass(frozen=True)
class LiveRow:
    """One task of one domain on a libvirt. `law` is 2 + D or its like, None where there is none known.

    `gain` is how many times as fast it would be with one lookup a task; `date` is of its last run.
    """

    subject: str
    release: str
    scenario: str
    n: int
    task: str
    devices: int
    lookups: int
    law: int | None
    seconds: float
    seconds_once: float | None = None
    gain: Ratio | None = None
    machine: str = ""
    date: str = ""

    @property
    def domain(self) -> str:
        """As in a results file."""
        return f"{self.scenario}/{self.n}"


def live_rows(sources: Sources) -> tuple[LiveRow, ...]:
    """Every task of every domain that a real libvirt was measured for."""
    arms: dict[tuple[str, str, int, str], dict[str, Measured]] = {}
    for one in sources.results.measured:
        cell = one.cell
        if is_libvirt(cell.subject):
            arms.setdefault((cell.subject, cell.scenario, cell.n, cell.task), {})[cell.policy] = one
    return tuple(row for by_policy in arms.values() if (row := _row(by_policy)) is not None)


def _row(arms: dict[str, Measured]) -> LiveRow | None:
    as_is = next((one for policy, one in arms.items() if policy != ONCE), None)
    if as_is is None:
        return None
    cell, facts = as_is.cell, as_is.runs[0].facts
    once = arms.get(ONCE)
    law = facts.get("law")
    return LiveRow(
        cell.subject,
        str(facts.get("libvirt_version", "of unknown version")),
        cell.scenario,
        cell.n,
        cell.task,
        as_is.counts.devices,
        as_is.counts.lookups,
        None if law is None else int(law),
        median_seconds(as_is),
        median_seconds(once) if once is not None else None,
        ratio_of(as_is, once) if once is not None else None,
        f"{facts.get('cpu_model_name', 'an unknown CPU')}, {facts.get('cpu_count', '?')} CPUs",
        max((str(run.facts.get("date", "")) for run in as_is.runs), default=""),
    )


def live_points(key: Key, live: list[Measured]) -> tuple[SpeedupPoint, ...]:
    """Ratios that live subjects were measured for on the same scenario, task and validity."""
    arms: dict[tuple[str, int], dict[str, Measured]] = {}
    for one in live:
        cell = one.cell
        if Key(cell.task, cell.validity, cell.scenario) == key:
            arms.setdefault((cell.subject, cell.n), {})[cell.policy] = one
    points = []
    for by_policy in arms.values():
        base, best = (
            next((one for name, one in by_policy.items() if name not in _PREFERRED), None),
            next((by_policy[name] for name in _PREFERRED if name in by_policy), None),
        )
        found = ratio_of(base, best) if base is not None and best is not None else None
        if found is not None and best is not None:
            points.append(SpeedupPoint(best.counts.devices, found.ratio, found.low, found.high, found.pairs))
    return tuple(sorted(points, key=lambda point: point.devices))
