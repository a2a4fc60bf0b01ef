"""What was measured on real libvirt, as kept in `data/real.json`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_FILE = Path(__file__).parent.parent / "data" / "real.json"


@dataclass(frozen=True)
class SeriesPoint:
    """One domain's define before and after the series; microseconds. `low`, `high`: quartiles, if known."""

    domain: str
    scenario: str
    n: int
    devices: int
    before_us: float
    after_us: float
    ratio: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Real:
    """All points of one release."""

    source: str
    release: str
    task: str
    validity: str
    fsync_us: float
    lookups_after: int
    points: tuple[SeriesPoint, ...]


def real() -> Real:
    """The points that ship with the reports."""
    plain: dict[str, Any] = json.loads(_FILE.read_text(encoding="utf-8"))
    names = ("source", "release", "task", "validity", "fsync_us", "lookups_after")
    return Real(
        **{name: plain[name] for name in names}, points=tuple(SeriesPoint(**one) for one in plain["points"])
    )
