"""What live subjects were measured for, to stand beside the reference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qcaps.report.summary import ratio_of

from ._growth import Key

if TYPE_CHECKING:
    from qcaps.measure.results.results_file import Measured

_PREFERRED = ("once", "series")


@dataclass(frozen=True)
class SpeedupPoint:
    """The speedup at one device count, and its 95 % interval."""

    devices: int
    ratio: float
    low: float
    high: float


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
            points.append(SpeedupPoint(best.counts.devices, found.ratio, found.low, found.high))
    return tuple(sorted(points, key=lambda point: point.devices))
