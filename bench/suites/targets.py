"""What qcaps promises of itself, measured: `qcaps run targets` ends with a line for each promise."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from qcaps.measure.cell import Cell, grid
from qcaps.measure.statistics import power_law
from qcaps.report.summary import median_seconds, ratio_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from qcaps.measure.results.results_file import Measured, Results

SUMMARY = "the gain on the virt-install guest, growth with n, closeness to the lower limit, linear cost"

_GAIN = 4.0  # what the authors of the series reported for a define/undefine loop
_NEAR = 1.02
_GROWING = ("disks", "nics", "channels", "serials", "usb", "scsi", "mixed", "s390x-ccw")
_LINEAR = ("serials", "s390x-ccw")
_LINEAR_NS = (16, 100, 1000, 10000)
_NEAR_LIMIT = ("disks", "serials")


def cells() -> Iterator[Cell]:
    """Each promise's own cells; `baseline` is added where it is missing."""
    yield from grid(("simple",), (1,), ("define+undefine",), ("fork",), ("naive", "series", "once"))
    yield from grid(_GROWING, (1, 16, 64), ("define",), ("fork",), ("naive", "series", "once"))
    yield from grid(_NEAR_LIMIT, (64,), ("define",), ("ctime",), ("once", "oracle"))
    yield from grid(_LINEAR, _LINEAR_NS, ("define",), ("ctime",), ("once",))


def conclusions(results: Results) -> Iterator[str]:
    """A line for each promise that these results can speak of."""
    arms = results.by_comparison()
    yield ""
    yield from _gain(arms.get(Cell("simple", 1, "define+undefine", "fork", "")))
    for scenario in _GROWING:
        yield from _growth(scenario, [arms.get(Cell(scenario, n, "define", "fork", "")) for n in (1, 16, 64)])
    for scenario in _NEAR_LIMIT:
        yield from _nearness(scenario, arms.get(Cell(scenario, 64, "define", "ctime", "")))
    for scenario in _LINEAR:
        yield from _linearity(
            scenario, [arms.get(Cell(scenario, n, "define", "ctime", "")) for n in _LINEAR_NS]
        )


def _gain(arms: dict[str, Measured] | None) -> Iterator[str]:
    if not arms:
        return
    for policy in ("series", "once"):
        found = ratio_of(arms["naive"], arms[policy])
        if found is not None:
            yield _line(
                f"simple, define+undefine, fork: naive/{policy} {found.ratio:.2f}"
                f" [{found.low:.2f}-{found.high:.2f}]",
                "at least 4",
                held=_surely(found.low >= _GAIN, found.high < _GAIN),
            )


def _growth(scenario: str, steps: Iterable[dict[str, Measured] | None]) -> Iterator[str]:
    known = [arms for arms in steps if arms]
    for policy in ("series", "once"):
        ratios = [found.ratio for arms in known if (found := ratio_of(arms["naive"], arms[policy]))]
        if len(ratios) > 1:
            yield _line(
                f"{scenario}, define, fork: naive/{policy} " + ", ".join(f"{ratio:.2f}" for ratio in ratios),
                "growing with n",
                held=all(one < other for one, other in pairwise(ratios)),
            )


def _nearness(scenario: str, arms: dict[str, Measured] | None) -> Iterator[str]:
    found = ratio_of(arms["once"], arms["oracle"]) if arms else None
    if found is not None:
        yield _line(
            f"{scenario}/64, define, ctime: once/oracle {found.ratio:.3f} [{found.low:.3f}-{found.high:.3f}]",
            "at most 1.02",
            held=_surely(found.high <= _NEAR, found.low > _NEAR),
        )


def _linearity(scenario: str, steps: Iterable[dict[str, Measured] | None]) -> Iterator[str]:
    known = [arms["once"] for arms in steps if arms]
    if len(known) < 2:  # noqa: PLR2004  # no line through one point
        return
    devices, seconds = [arm.counts.devices for arm in known], [median_seconds(arm) for arm in known]
    exponent, _ = power_law(devices, seconds)
    yield _line(
        f"{scenario}, define, ctime, once, {devices[0]} to {devices[-1]} devices: exponent {exponent:.3f}",
        "at most 1.05",
        held=exponent <= 1.05,  # noqa: PLR2004  # says so
    )
    for arm, value in zip(known, seconds, strict=True):
        if arm.cell.n == 1000:  # noqa: PLR2004  # the size promised
            yield _line(
                f"{scenario}/1000, define, ctime, once: {value * 1000:.1f} ms",
                "well under 100 ms",
                held=value < 0.1,  # noqa: PLR2004  # says so
            )


def _surely(yes: bool, no: bool) -> bool | None:  # noqa: FBT001  # two halves of one answer
    """True, False, or None where the interval lies on both sides."""
    return True if yes else False if no else None


def _line(measured: str, promise: str, *, held: bool | None) -> str:
    word = {True: "held", False: "MISSED", None: "unclear"}[held]
    return f"{word:7}  {measured} ({promise})"
