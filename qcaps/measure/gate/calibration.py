"""What is known of this host as a judge: how often it raised a false alarm, and what it caught.

Kept in the user's state folder, so that `qcaps doctor` can warn.
"""

from __future__ import annotations

import json
import math
import os
import platform
from collections import Counter
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from statistics import fmean, median, stdev
from typing import TYPE_CHECKING

from qcaps.bounded import read_json
from qcaps.errors import QcapsError
from qcaps.files import replace_file
from qcaps.measure.gate.verdict import RULES, Verdict, median_deviation

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from qcaps.measure.cell import Cell
    from qcaps.measure.gate.decision import GateOutcome, Judged
    from qcaps.measure.gate.pair_store import PairStore
    from qcaps.measure.gate.series import Pair


@dataclass
class Calibration:
    """Verdicts by injected slowdown ("0", "0.03", …), and the host's noise.

    `runs` are how many runs of the suite there were at a slowdown, and in how many some series, lines
    included, was FAIL or IMPROVED.

    `spread` is the median deviation of differences of equal pairs, `drift` the standard deviation of a
    benchmark's level between repetitions; both are shares. `seconds` is the mean time of a verdict, `rules`
    what verdicts were made by.
    """

    hostname: str = ""
    suite: str = ""
    date: str = ""
    rules: str = RULES
    verdicts: dict[str, dict[str, int]] = field(default_factory=dict)
    runs: dict[str, tuple[int, int]] = field(default_factory=dict)
    spread: float = 0.0
    drift: float = 0.0
    seconds: float = 0.0

    def decisions(self, slowdown: float) -> int:
        """How many verdicts there are on a slowdown."""
        return sum(self.verdicts.get(f"{slowdown:g}", {}).values())

    def failed(self, slowdown: float) -> int:
        """How many of them are FAIL: false alarms where the slowdown is 0."""
        return self.verdicts.get(f"{slowdown:g}", {}).get(Verdict.FAIL.value, 0)

    def alarms(self, slowdown: float) -> int:
        """How many are FAIL or IMPROVED: false alarms where the slowdown is 0."""
        known = self.verdicts.get(f"{slowdown:g}", {})
        return known.get(Verdict.FAIL.value, 0) + known.get(Verdict.IMPROVED.value, 0)

    def add(self, slowdown: float, verdicts: Iterable[Verdict], *, alarm: bool) -> None:
        """Count the verdicts of a run on a slowdown."""
        runs, alarmed = self.runs.get(f"{slowdown:g}", (0, 0))
        self.runs[f"{slowdown:g}"] = (runs + 1, alarmed + alarm)
        known = Counter(self.verdicts.get(f"{slowdown:g}", {}))
        known.update(one.value for one in verdicts)
        self.verdicts[f"{slowdown:g}"] = dict(known)


def upper_bound(failed: int, decisions: int, confidence: float = 0.95) -> float:
    """The largest rate that explains so few failures (Clopper-Pearson, one-sided); 1 without a decision."""
    if failed >= decisions:
        return 1.0
    low, high = failed / decisions, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        chance = sum(
            math.comb(decisions, k) * middle**k * (1 - middle) ** (decisions - k) for k in range(failed + 1)
        )
        low, high = (middle, high) if chance > 1 - confidence else (low, middle)
    return high


def spread_of(pairs: Iterable[Sequence[Pair]]) -> float:
    """The median deviation of ln(head / base), the mean over benchmarks."""
    found = [median_deviation([math.log(one.head / one.base) for one in some]) for some in pairs if some]
    return fmean(found) if found else 0.0


def drift_of(levels: Iterable[Sequence[float]]) -> float:
    """The standard deviation of the logarithm of a benchmark's levels, the mean over benchmarks."""
    found = [stdev(math.log(one) for one in some) for some in levels if len(some) > 1]
    return fmean(found) if found else 0.0


def level(pairs: Sequence[Pair]) -> float:
    """A repetition's level of a benchmark: the median of base's blocks."""
    return median(pair.base for pair in pairs)


@dataclass
class History:
    """What the repetitions of a calibration found, for its figures."""

    verdicts: list[tuple[float, list[Verdict], bool]] = field(default_factory=list)
    equal: list[list[Pair]] = field(default_factory=list)
    levels: dict[Cell, list[float]] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)

    def add(self, slowdown: float, outcome: GateOutcome, store: PairStore, seconds: float) -> None:
        """One decision on every cell, and how many seconds each took."""
        alarm = outcome.any(Verdict.FAIL, Verdict.IMPROVED)
        self.verdicts.append((slowdown, points(outcome.judged), alarm))
        self.seconds.append(seconds)
        if slowdown == 0:
            self.equal += store.pairs.values()
        for cell, pairs in store.pairs.items():
            self.levels.setdefault(cell, []).append(level(pairs))

    def fill(self, found: Calibration) -> None:
        """Put the figures into a calibration."""
        found.verdicts, found.runs = {}, {}
        for slowdown, verdicts, alarm in self.verdicts:
            found.add(slowdown, verdicts, alarm=alarm)
        found.spread, found.drift = spread_of(self.equal), drift_of(self.levels.values())
        found.seconds = fmean(self.seconds)


def points(judged: Iterable[Judged]) -> list[Verdict]:
    """The verdicts on single benchmarks."""
    return [one.verdict for one in judged if len(one.series.cells) == 1]


def path() -> Path:
    """Where this host's calibration is kept: $XDG_STATE_HOME/qcaps/calibration.json."""
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "qcaps" / "calibration.json"


def read(file: Path | None = None) -> Calibration | None:
    """This host's calibration; None if there is none, or one of another host, shape, or other rules."""
    try:
        plain = read_json(file or path())
        found = Calibration(**{one.name: plain[one.name] for one in fields(Calibration)})
    except (OSError, ValueError, LookupError, TypeError, QcapsError):
        return None
    return found if (found.hostname, found.rules) == (platform.node(), RULES) else None


def write(calibration: Calibration, file: Path | None = None) -> None:
    """Replace this host's calibration. Raises QcapsError."""
    target = file or path()
    target.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(asdict(calibration), indent=2) + "\n"
    replace_file(target, text)
