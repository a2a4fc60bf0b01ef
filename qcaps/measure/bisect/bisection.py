"""A bisection as a value that is kept after each step, and the loop that carries it on."""

from __future__ import annotations

import json
import math
import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from qcaps.bounded import read_json
from qcaps.files import replace_file
from qcaps.measure.bisect import judging
from qcaps.measure.bisect.judging import SoughtChange, UndecidedError
from qcaps.measure.bisect.search import BisectSide, BisectStep, Search
from qcaps.measure.gate.arms import ArmError, MismatchError
from qcaps.measure.gate.verdict import Interval

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from qcaps.measure.gate.arms import Arm
    from qcaps.measure.gate.rounds import Bench

FILE = "bisect.json"
COUNTS, TIME, AUTO = "counts", "time", "auto"


@dataclass
class Bisection:
    """What is looked for between the commits `good` and `bad`, by what, and the steps so far.

    `identity` is all that must be the same to go on.
    """

    good: str
    bad: str
    identity: Mapping[str, Any]
    search: Search
    by: str = AUTO
    change: SoughtChange | None = None
    finished: bool = False
    file: Path | None = None

    def save(self) -> None:
        """Keep it. Raises QcapsError."""
        if self.file is None:
            return
        change = self.change and {"cell": self.change.cell.name, "size": self.change.size,
                                  "found": asdict(self.change.found)}  # fmt: skip
        plain = {
            "identity": self.identity,
            "finished": self.finished,
            "by": self.by,
            "change": change,
            "steps": [one.to_plain() for one in self.search.steps],
        }
        replace_file(self.file, json.dumps(plain, indent=2) + "\n")

    def restore(self, bench: Bench) -> bool:
        """Take up what an earlier one of the same identity kept; whether there was one."""
        try:
            plain = read_json(self.file) if self.file is not None else {}
            if plain.get("identity") != self.identity:
                return False
            steps = [BisectStep.from_plain(one) for one in plain["steps"]]
            change = plain["change"]
            if change is not None:
                cell = next(one for one in bench.sources if one.name == change["cell"])
                self.change = SoughtChange(cell, change["size"], Interval(**change["found"]))
        except (OSError, ValueError, LookupError, TypeError, AttributeError, StopIteration):
            return False
        self.search.steps, self.by, self.finished = steps, plain["by"], bool(plain["finished"])
        return True


@dataclass(frozen=True, kw_only=True)
class Workshop:
    """Where commits become arms, where they are measured, and whom to tell."""

    build: Callable[[str], Arm]
    bench: Bench
    delta: float
    told: Callable[[BisectStep], None]
    on_pair: Callable[[int, int, str], None] = field(default=lambda _done, _of, _what: None)


def carry_on(found: Bisection, shop: Workshop) -> None:
    """Ask commit after commit until there is none that would tell more; each step is kept.

    Raises ArmError where an end does not build, UndecidedError where the two are not told apart.
    """
    search, good, bad = found.search, found.good, found.bad
    for commit, side in ((good, BisectSide.GOOD), (bad, BisectSide.BAD)):
        if commit not in {one.commit for one in search.steps}:
            begins = time.monotonic()
            counts = judging.count(shop.bench, shop.build(commit)) if found.by != TIME else {}
            _add(found, shop, BisectStep(commit, side, counts=counts, seconds=_since(begins)))
    if found.by == AUTO:
        differ = judging.differing(_counts(found, good), _counts(found, bad))
        found.by = COUNTS if differ else TIME
    if found.by == COUNTS and not judging.differing(_counts(found, good), _counts(found, bad)):
        raise UndecidedError("good and bad count the same: --by time asks whether they take as long")
    if found.by == TIME and found.change is None:
        ends = judging.alike((shop.build(good), shop.build(bad)), shop.bench)
        found.change = judging.find_change(shop.bench, ends, shop.delta, shop.on_pair)
        found.save()
    decisions = math.ceil(math.log2(max(len(search.left()), 2))) + 2
    while (asked := search.next()) is not None:
        _add(found, shop, _step(found, shop, asked, decisions))
    found.finished = True
    found.save()


def _add(found: Bisection, shop: Workshop, step: BisectStep) -> None:
    found.search.steps.append(step)
    found.save()
    shop.told(step)


def _step(found: Bisection, shop: Workshop, commit: str, decisions: int) -> BisectStep:
    begins = time.monotonic()
    try:
        arm = shop.build(commit)
        if found.by == COUNTS:
            counts = judging.count(shop.bench, arm)
            told = judging.by_counts(counts, _counts(found, found.good), _counts(found, found.bad))
            return BisectStep(commit, told.side, told.why, counts, seconds=_since(begins))
        assert found.change is not None
        arms = judging.alike((shop.build(found.good), arm), shop.bench)
        told, seen = judging.by_time(shop.bench, arms, found.change, decisions, shop.on_pair)
    except (ArmError, MismatchError) as error:
        return BisectStep(commit, BisectSide.SKIPPED, str(error), seconds=_since(begins))
    return BisectStep(
        commit, told.side, told.why, {}, seen.ratio, seen.low, seen.high, seen.pairs, _since(begins)
    )


def _counts(found: Bisection, commit: str) -> Mapping[str, Mapping[str, int]]:
    return next(one.counts for one in found.search.steps if one.commit == commit)


def _since(begins: float) -> float:
    return round(time.monotonic() - begins, 1)
