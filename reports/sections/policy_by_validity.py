"""Policy against validity: what sharing lookups buys, what cheaper checks buy, and what both buy."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from matplotlib.colors import LinearSegmentedColormap, LogNorm

from qcaps.lookups.policy import STOCK_OF
from qcaps.report.section import Content, Table
from qcaps.report.summary import median_seconds
from qcaps.report.table import duration

from ._drawing import Spacing, is_narrow, panels
from ._words import task_name, times

if TYPE_CHECKING:
    from collections.abc import Iterable

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from qcaps.measure.cell import Cell
    from qcaps.report.sources import Sources

ORDER = 60
HEADING = "Sharing lookups, or cheaper checks"
MISSING = "no domain was measured under several policies and several validities: qcaps run matrix"
_VALIDITIES = ("fork", "ctime", "watch", "trust")
_POLICIES = ("per-callback", "naive", "stock", *STOCK_OF, "series", "once", "once-abort", "oracle")
_FEWEST = 2
_MOST = 2
# From nearly white to dark blue: the lightness alone says which is more, in print too.
_SHADES = ("#eef4f9", "#9cc4e0", "#3f8ec4", "#0a4f87", "#062f55")
_LIGHT_TEXT_FROM = 0.5
_LIGHT, _DARK = "#fefefe", "#111111"  # no #ffffff: a page makes its own background's colour of that


@dataclass(frozen=True)
class Matrix:
    """Seconds by (policy, validity) of one domain and task."""

    scenario: str
    n: int
    devices: int
    task: str
    policies: tuple[str, ...]
    validities: tuple[str, ...]
    seconds: dict[tuple[str, str], float]

    @property
    def corner(self) -> tuple[str, str]:
        """What all others are held against: the first policy under the first validity."""
        return self.policies[0], self.validities[0]

    def ratio(self, policy: str, validity: str) -> float | None:
        """How many times as fast as the corner."""
        seconds = self.seconds.get((policy, validity))
        return None if seconds is None else self.seconds[self.corner] / seconds


def data(sources: Sources) -> tuple[Matrix, ...] | None:
    """The two domains with most cells filled."""
    groups: dict[Cell, dict[tuple[str, str], float]] = {}
    devices: dict[Cell, int] = {}
    for one in sources.reference.measured:
        key = replace(one.cell, policy="", validity="")
        groups.setdefault(key, {})[one.cell.policy, one.cell.validity] = median_seconds(one)
        devices[key] = one.counts.devices
    found = [made for key, seconds in groups.items() if (made := _matrix(key, devices[key], seconds))]
    found.sort(key=lambda one: (-len(one.validities), -len(one.policies), one.task != "define", one.devices))
    most = [one for one in found if len(one.validities) == len(found[0].validities)]
    return tuple(most[:_MOST]) or None


def content(value: tuple[Matrix, ...]) -> Content:
    """What each way alone buys, and both."""
    findings = [_finding(matrix) for matrix in value]
    headings = ("domain", "policy", *value[0].validities)
    rows = tuple(
        (
            f"{matrix.scenario}/{matrix.n}",
            policy,
            *(
                duration(matrix.seconds[policy, validity]) if (policy, validity) in matrix.seconds else "-"
                for validity in value[0].validities
            ),
        )
        for matrix in value
        for policy in matrix.policies
    )
    return Content(
        findings[0],
        description="; ".join(
            f"{policy} under {validity}: {times(ratio)} times"
            for matrix in value
            for policy in matrix.policies
            for validity in matrix.validities
            if (ratio := matrix.ratio(policy, validity)) is not None
        ),
        notes=(
            *findings[1:],
            (
                "Cheaper checks leave a task that can see two different capabilities; only sharing with"
                " abort ('once-abort') makes it consistent. Validities are measured in processes of their"
                " own, so that ratios across columns are of medians, not of pairs."
            ),
        ),
        tables=(Table("Median times", headings, rows, left=("domain", "policy")),),
    )


def draw(value: tuple[Matrix, ...], figure: Figure) -> None:
    """A map a domain, one scale of shades for all."""
    narrow = is_narrow(figure)
    rows, columns = (len(value), 1) if narrow else (1, len(value))
    most = max(len(matrix.policies) for matrix in value)
    margins = Spacing(left=0.85, right=0.1, head=0.1, across=1.0, bottom=0.45)
    grid = panels(figure, rows, columns, 0.34 * most, margins)
    ratios = [ratio for one in value for key in one.seconds if (ratio := one.ratio(*key)) is not None]
    norm = LogNorm(min(1.0, *ratios), max(1.0 + 1e-6, *ratios))
    shades = LinearSegmentedColormap.from_list("shades", _SHADES)
    for axes, matrix in zip([axes for row in grid for axes in row], value, strict=True):
        _draw_map(axes, matrix, norm, shades)


def _draw_map(axes: Axes, matrix: Matrix, norm: LogNorm, shades: LinearSegmentedColormap) -> None:
    axes.set_title(f"{matrix.task}: {matrix.scenario}/{matrix.n}, {matrix.devices} devices")
    for row, policy in enumerate(matrix.policies):
        for column, validity in enumerate(matrix.validities):
            ratio = matrix.ratio(policy, validity)
            if ratio is None:
                continue
            place = float(norm(ratio))
            axes.barh(row, 0.96, left=column - 0.48, height=0.9, color=shades(place), linewidth=0)
            colour = _LIGHT if place > _LIGHT_TEXT_FROM else _DARK
            axes.text(
                column,
                row,
                f"{times(ratio)}\N{MULTIPLICATION SIGN}",
                ha="center",
                va="center",
                color=colour,
                fontsize=8.5,
            )
    axes.set_xticks(range(len(matrix.validities)), matrix.validities)
    axes.set_yticks(range(len(matrix.policies)), matrix.policies)
    axes.tick_params(length=0)
    axes.set_xlim(-0.5, len(matrix.validities) - 0.5)
    axes.set_ylim(len(matrix.policies) - 0.5, -0.5)
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_xlabel(f"times as fast as '{matrix.corner[0]}' under '{matrix.corner[1]}'")


def _matrix(key: Cell, devices: int, seconds: dict[tuple[str, str], float]) -> Matrix | None:
    policies = _in_order((policy for policy, _ in seconds), _POLICIES)
    validities = _in_order((validity for _, validity in seconds), _VALIDITIES)
    # a ladder's steps belong to the ladder
    policies = tuple(name for name in policies if name in _POLICIES) or policies
    if len(policies) < _FEWEST or len(validities) < _FEWEST:
        return None
    first = "naive" if "naive" in policies else policies[0]
    policies = (first, *(name for name in policies if name != first))
    if (policies[0], validities[0]) not in seconds:
        return None
    kept = {(policy, validity): value for (policy, validity), value in seconds.items() if policy in policies}
    return Matrix(key.scenario, key.n, devices, key.task, policies, validities, kept)


def _in_order(names: Iterable[str], order: tuple[str, ...]) -> tuple[str, ...]:
    found = dict.fromkeys(names)
    return (*(name for name in order if name in found), *(name for name in found if name not in order))


def _finding(matrix: Matrix) -> str:
    policy, validity = matrix.corner
    best = "once" if "once" in matrix.policies else matrix.policies[-1]
    cheap = "ctime" if "ctime" in matrix.validities[1:] else matrix.validities[-1]
    sharing, cheaper, both = (
        matrix.ratio(best, validity),
        matrix.ratio(policy, cheap),
        matrix.ratio(best, cheap),
    )
    said = [
        f"{words} {times(ratio)} times as fast"
        for words, ratio in (
            (f"sharing alone ('{best}') makes it", sharing),
            (f"cheaper checks alone ('{cheap}')", cheaper),
            ("both", both),
        )
        if ratio is not None
    ]
    # said once, at the end
    joined = ", ".join(said).replace(" as fast", "", len(said) - 1)
    text = f"{joined} ({task_name(matrix.task)} of {matrix.scenario}/{matrix.n})."
    return text[0].upper() + text[1:]
