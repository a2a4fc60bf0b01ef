"""Families of domains that grow: block values by policy and device count, and which families to show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from qcaps.measure.results.results_file import Measured, Results

MOST_SCENARIOS = 3
_FEWEST_COUNTS = 2
_VALIDITIES = ("ctime", "fork")
_FIRST = ("disks@pc", "disks")


class Key(NamedTuple):
    """What the points of one panel have in common."""

    task: str
    validity: str
    scenario: str


@dataclass(frozen=True)
class Family:
    """One scenario, task and validity, at two device counts or more."""

    key: Key
    arms: dict[str, dict[int, Measured]]

    def samples(self, policy: str) -> dict[int, tuple[float, ...]]:
        """Block values in seconds by device count."""
        return {
            devices: tuple(value for run in one.runs for value in run.block_values)
            for devices, one in self.arms.get(policy, {}).items()
        }

    @property
    def counts(self) -> tuple[int, ...]:
        """All device counts, ascending."""
        return tuple(sorted({devices for arms in self.arms.values() for devices in arms}))


def families(results: Results) -> dict[Key, Family]:
    """All that grow."""
    found: dict[Key, dict[str, dict[int, Measured]]] = {}
    for one in results.measured:
        cell = one.cell
        key = Key(cell.task, cell.validity, cell.scenario)
        found.setdefault(key, {}).setdefault(cell.policy, {})[one.counts.devices] = one
    made = {
        key: Family(key, {policy: dict(sorted(points.items())) for policy, points in arms.items()})
        for key, arms in found.items()
    }
    return {key: family for key, family in made.items() if len(family.counts) >= _FEWEST_COUNTS}


def panels_to_show(found: dict[Key, Family]) -> list[list[Family]]:
    """Rows are validities, columns scenarios, of the task with most families; at most three scenarios.

    Disks come first, since real libvirt was measured with them; then the families with most points.
    """
    if not found:
        return []
    tasks = [key.task for key in found]
    task = max(dict.fromkeys(tasks), key=tasks.count)
    own = {key: family for key, family in found.items() if key.task == task}
    validities = [name for name in _VALIDITIES if any(key.validity == name for key in own)]
    validities = validities or list(dict.fromkeys(key.validity for key in own))[:2]
    sizes: dict[str, int] = {}
    for key, family in own.items():
        sizes[key.scenario] = max(sizes.get(key.scenario, 0), len(family.counts))
    ranked = sorted(
        sizes, key=lambda name: (_FIRST.index(name) if name in _FIRST else len(_FIRST), -sizes[name])
    )
    scenarios = _without_twins(ranked)[:MOST_SCENARIOS]
    rows = [
        [own[Key(task, validity, scenario)] for scenario in scenarios if Key(task, validity, scenario) in own]
        for validity in validities
    ]
    return [row for row in rows if row]


def _without_twins(scenarios: list[str]) -> list[str]:
    """One machine type of each scenario first, the others after all."""
    first: dict[str, str] = {}
    for name in scenarios:
        first.setdefault(name.partition("@")[0], name)
    return [*first.values(), *(name for name in scenarios if name not in first.values())]
