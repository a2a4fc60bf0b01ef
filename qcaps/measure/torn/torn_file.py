"""What the torn-task experiment found, as rows for a table or a figure, and as a JSON file."""

from __future__ import annotations

import json
import statistics
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, TypeVar, get_type_hints

from qcaps.bounded import read_json
from qcaps.errors import QcapsError
from qcaps.files import replace_file
from qcaps.measure.torn.experiment import REFERENCE, Experiment, Tally, TornArm

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_T = TypeVar("_T")
_KIND, _VERSION = "qcaps torn", 1


@dataclass(frozen=True)
class TornRow:
    """One arm; the counts are those of `torn.Tally`.

    `ratio` is the time of a task, nothing being replaced, over that of `once` that sees the binary as finely,
    from blocks that took turns, with its 95 % interval; 1 where there was no such arm. Times are medians:
    of a task in microseconds with nothing replaced and while the binary was being replaced, and from the last
    check to the rename (0 for a policy that does not check).
    """

    policy: str
    whole_seconds: bool
    retries: int
    tasks: int
    swaps: int
    consistent: int
    torn: int
    torn_refused: int
    stale: int
    refused: int
    aborted: int
    retried: int
    late: int
    ratio: float
    ratio_low: float
    ratio_high: float
    quiet_us: float
    swapped_us: float
    window_us: float

    @property
    def name(self) -> str:
        """As `torn.Arm` calls it."""
        return TornArm(self.policy, self.whole_seconds, self.retries).name


@dataclass(frozen=True)
class Found:
    """The contents of a file: what was run, how often the binary was replaced in all, a row an arm."""

    scenario: str
    n: int
    removed: tuple[str, ...]
    mean_ms: float
    seed: int
    swaps: int
    rows: tuple[TornRow, ...]


def found(experiment: Experiment, tallies: Mapping[TornArm, Tally]) -> Found:
    """The rows of an experiment."""
    rows = tuple(_row(arm, tally, tallies) for arm, tally in tallies.items())
    return Found(
        scenario=experiment.scenario,
        n=experiment.n,
        removed=experiment.removed,
        mean_ms=1000 * experiment.mean,
        seed=experiment.seed,
        swaps=sum(row.swaps for row in rows),
        rows=rows,
    )


def _row(arm: TornArm, tally: Tally, tallies: Mapping[TornArm, Tally]) -> TornRow:
    from qcaps.measure.statistics import Ratio, paired_ratio  # numpy, only at the end

    once = tallies.get(TornArm(REFERENCE, arm.whole_seconds))
    timed = once is not None and once is not tally and once.quiet
    ratio = paired_ratio(tally.quiet, once.quiet) if once and timed else Ratio(1, 1, 1, 0)
    return TornRow(
        **asdict(arm),
        **{name: getattr(tally, name) for name, kind in get_type_hints(Tally).items() if kind is int},
        ratio=ratio.ratio,
        ratio_low=ratio.low,
        ratio_high=ratio.high,
        quiet_us=_median_us(tally.quiet),
        swapped_us=_median_us(tally.seconds),
        window_us=_median_us(tally.window),
    )


def _median_us(seconds: list[float]) -> float:
    return 1e6 * statistics.median(seconds) if seconds else 0.0


def write(path: Path, what: Found) -> None:
    """Replace the file, which a user named, at once. Raises QcapsError."""
    plain = {"kind": _KIND, "version": _VERSION, **asdict(what)}
    replace_file(path, json.dumps(plain, indent=1) + "\n", named=True)


def is_ours(path: Path) -> bool:
    """Whether a file says that `write` wrote it, whole or damaged inside."""
    try:
        plain = read_json(path)
    except (OSError, ValueError, QcapsError):
        return False
    return isinstance(plain, dict) and plain.get("kind") == _KIND


def read(path: Path) -> Found:
    """What a file says. Raises QcapsError for one that `write` did not write."""
    try:
        plain = read_json(path)
        rows = tuple(_checked(TornRow, row) for row in plain["rows"])
        removed = tuple(str(flag) for flag in plain["removed"])
        what = _checked(Found, {**plain, "rows": rows, "removed": removed})
        kind = (plain["kind"], plain["version"])
    except OSError as error:
        raise QcapsError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise QcapsError(f"{path}: truncated, or not written by 'qcaps torn': {error!r:.200}") from error
    if kind != (_KIND, _VERSION):
        raise QcapsError(f"{path}: is {kind!r:.60}, not {(_KIND, _VERSION)}; run 'qcaps torn' again")
    return what


_KINDS: dict[Any, tuple[type, ...]] = {"str": (str,), "int": (int,), "float": (int, float), "bool": (bool,)}


def _checked(cls: type[_T], plain: Mapping[str, Any]) -> _T:
    declared = fields(cls)  # type: ignore[arg-type]  # both are dataclasses
    values = {one.name: plain[one.name] for one in declared}
    for one in declared:
        if one.type in _KINDS and type(values[one.name]) not in _KINDS[one.type]:
            raise TypeError(f"{one.name} is {values[one.name]!r:.40}, expected {one.type}")
    return cls(**values)
