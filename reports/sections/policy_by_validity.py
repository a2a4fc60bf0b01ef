"""Policy against validity: what sharing lookups buys, under each validity, and what each takes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from matplotlib.colors import LinearSegmentedColormap, LogNorm

from qcaps.lookups.policy import STOCK_OF
from qcaps.report.fit import Estimate
from qcaps.report.section import Content, Table
from qcaps.report.summary import median_seconds, ratio_of
from qcaps.units import duration

from ._drawing import Spacing, hover, is_narrow, panels
from ._words import (
    count,
    domain_name,
    paired,
    quoted_validity,
    task_name,
    times,
    too_few,
    validity_name,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from qcaps.measure.cell import Cell
    from qcaps.measure.results.results_file import Measured
    from qcaps.measure.statistics import Ratio
    from qcaps.report.sources import Sources

ORDER = 60
PART = "The reference"
HEADING = "Sharing lookups, or cheaper checks"
MISSING = "no domain was measured under several policies and several validities: qcaps run matrix"
_VALIDITIES = ("ctime", "watch", "trust", "fork")
_POLICIES = ("per-callback", "naive", "stock", *STOCK_OF, "series", "once", "once-abort", "oracle")
_FEWEST = 2
_MOST = 2
_TAIL = 0.025
_SMALL = 6.6
"""Letters of a cell where two maps stand side by side."""
# From nearly white to dark blue: the lightness alone says which is more, in print too.
_SHADES = ("#eef4f9", "#9cc4e0", "#3f8ec4", "#0a4f87", "#062f55")
_LIGHT_TEXT_FROM = 0.5
_LIGHT, _DARK = "#fefefe", "#111111"  # no #ffffff: a page makes its own background's colour of that


@dataclass(frozen=True)
class Matrix:
    """One domain and task. `ratios` of each policy to the first, within a validity: pairs of one process.

    `seconds` are medians with their 95 % interval, by (policy, validity): what stands in two columns was
    measured in two processes, so that only such intervals can be laid side by side.
    """

    scenario: str
    n: int
    devices: int
    task: str
    policies: tuple[str, ...]
    validities: tuple[str, ...]
    ratios: dict[tuple[str, str], Ratio]
    seconds: dict[tuple[str, str], Estimate]


def data(sources: Sources) -> tuple[Matrix, ...] | None:
    """The two domains with most cells filled."""
    groups: dict[Cell, dict[tuple[str, str], Measured]] = {}
    for one in sources.reference.measured:
        key = replace(one.cell, policy="", validity="")
        groups.setdefault(key, {})[one.cell.policy, one.cell.validity] = one
    found = [made for key, arms in groups.items() if (made := _matrix(key, arms))]
    found.sort(key=lambda one: (-len(one.validities), -len(one.policies), one.task != "define", one.devices))
    most = [one for one in found if len(one.validities) == len(found[0].validities)]
    return tuple(most[:_MOST]) or None


def content(value: tuple[Matrix, ...]) -> Content:
    """What sharing buys under each check."""
    findings = [_finding(matrix) for matrix in value]
    headings = ("domain", "policy", *value[0].validities)
    rows = tuple(
        (
            domain_name(matrix.scenario, matrix.n),
            policy,
            *(_median(matrix.seconds.get((policy, validity))) for validity in value[0].validities),
        )
        for matrix in value
        for policy in matrix.policies
    )
    return Content(
        findings[0],
        description="; ".join(
            f"{policy} under {validity}: {paired(ratio)} times"
            for matrix in value
            for (policy, validity), ratio in matrix.ratios.items()
        ),
        notes=(
            *findings[1:],
            (
                "A cell holds a policy against the first one under the same validity, paired within one"
                " process: only down a column is anything compared. The table has the median times with 95 %"
                " intervals; two columns are from two processes, where intervals that overlap tell nothing."
            ),
            (
                "Cheaper checks leave a task that can see two different capabilities; only sharing with"
                " abort ('once-abort') makes it consistent."
            ),
        ),
        tables=(Table("Median times [95 %], not paired across columns", headings, rows, left=headings),),
    )


def draw(value: tuple[Matrix, ...], figure: Figure) -> None:
    """A map a domain, one scale of shades for all."""
    narrow = is_narrow(figure)
    rows, columns = (len(value), 1) if narrow else (1, len(value))
    most = max(len(matrix.policies) for matrix in value)
    margins = Spacing(left=0.85, right=0.1, head=0.1, across=0.75, bottom=0.66, down=0.66)
    grid = panels(figure, rows, columns, 0.44 * most, margins)
    ratios = [one.ratio for matrix in value for one in matrix.ratios.values() if not too_few(one)]
    norm = LogNorm(1.0, max(1.0 + 1e-6, *ratios, 1.1))
    shades = LinearSegmentedColormap.from_list("shades", _SHADES)
    for axes, matrix in zip([axes for row in grid for axes in row], value, strict=True):
        _draw_map(axes, matrix, norm, shades, 8.0 if columns == 1 else _SMALL)


def _draw_map(
    axes: Axes, matrix: Matrix, norm: LogNorm, shades: LinearSegmentedColormap, size: float
) -> None:
    axes.set_title(f"{matrix.task}: {matrix.scenario}/{matrix.n}, {matrix.devices} devices")
    first = matrix.policies[0]
    for row, policy in enumerate(matrix.policies):
        for column, validity in enumerate(matrix.validities):
            seconds = matrix.seconds.get((policy, validity))
            if seconds is None:
                continue
            ratio = matrix.ratios.get((policy, validity))
            sure = ratio is not None and not too_few(ratio)
            place = float(norm(max(ratio.ratio, 1.0))) if ratio is not None and sure else 0.0
            cell = axes.barh(row, 0.96, left=column - 0.48, height=0.9, color=shades(place), linewidth=0)
            told = "compared with" if policy == first else "too few pairs" if ratio is None else paired(ratio)
            hover(cell, [f"{policy}, {validity}: {told}; median {_median(seconds)}"])
            axes.text(
                column,
                row,
                "1" if ratio is None else _lines(ratio),
                ha="center",
                va="center",
                color=_LIGHT if place > _LIGHT_TEXT_FROM else _DARK,
                fontsize=size,
                linespacing=1.15,
            )
    axes.set_xticks(range(len(matrix.validities)), [_wrapped(name) for name in matrix.validities])
    axes.set_yticks(range(len(matrix.policies)), matrix.policies)
    axes.tick_params(length=0)
    axes.set_xlim(-0.5, len(matrix.validities) - 0.5)
    axes.set_ylim(len(matrix.policies) - 0.5, -0.5)
    axes.grid(visible=False)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_xlabel(f"times as fast as '{first}' in its column [95 %]")


def _lines(ratio: Ratio) -> str:
    """A cell's text: the ratio, and below it how sure it is."""
    if too_few(ratio):
        return f"{times(ratio.ratio)}\n({count(ratio.pairs, 'pair')})"
    return f"{times(ratio.ratio)}\n{times(ratio.low)} to {times(ratio.high)}"


def _wrapped(validity: str) -> str:
    return validity_name(validity).replace(", ", ",\n")


def _matrix(key: Cell, arms: dict[tuple[str, str], Measured]) -> Matrix | None:
    policies = _in_order((policy for policy, _ in arms), _POLICIES)
    validities = _in_order((validity for _, validity in arms), _VALIDITIES)
    # a ladder's steps belong to the ladder
    policies = tuple(name for name in policies if name in _POLICIES) or policies
    if len(policies) < _FEWEST or len(validities) < _FEWEST:
        return None
    first = "naive" if "naive" in policies else policies[0]
    policies = (first, *(name for name in policies if name != first))
    ratios = {}
    for (policy, validity), arm in arms.items():
        base = arms.get((first, validity))
        if policy in policies[1:] and base is not None:
            found = ratio_of(base, arm)
            if found is not None:
                ratios[policy, validity] = found
    if not ratios:
        return None
    seconds = {place: _median_of(arm) for place, arm in arms.items() if place[0] in policies}
    devices = next(iter(arms.values())).counts.devices
    return Matrix(key.scenario, key.n, devices, key.task, policies, validities, ratios, seconds)


def _median_of(arm: Measured) -> Estimate:
    """Seconds of a block: the median, and the order statistics that hold it with 95 % confidence.

    With fewer blocks than that takes (six) they are the least and the greatest.
    """
    values = sorted(value for run in arm.runs for value in run.block_values)
    many = len(values)
    outside = _left_out(many)
    return Estimate(median_seconds(arm), values[outside], values[many - 1 - outside])


def _left_out(many: int) -> int:
    """How many values an interval of 95 % leaves out at each end, by the signs of their differences."""
    below, chance, k = 0.0, 0.5**many, 0
    while below + chance <= _TAIL and k < many:
        below += chance
        chance *= (many - k) / (k + 1)
        k += 1
    return max(k - 1, 0)


def _median(seconds: Estimate | None) -> str:
    if seconds is None:
        return "-"
    return f"{duration(seconds.value)} [{duration(seconds.low)} to {duration(seconds.high)}]"


def _in_order(names: Iterable[str], order: tuple[str, ...]) -> tuple[str, ...]:
    found = dict.fromkeys(names)
    return (*(name for name in order if name in found), *(name for name in found if name not in order))


def _finding(matrix: Matrix) -> str:
    best = "once" if "once" in matrix.policies else matrix.policies[-1]
    said, unclear = [], []
    for validity in matrix.validities:
        ratio = matrix.ratios.get((best, validity))
        if ratio is None:
            continue
        if too_few(ratio) or ratio.low <= 1 <= ratio.high:
            unclear.append(f"'{validity}'")
        else:
            said.append(f"{paired(ratio)} under {quoted_validity(validity)}")
    what = f"{task_name(matrix.task)} of {domain_name(matrix.scenario, matrix.n)}"
    if not said:
        return f"What sharing ('{best}') buys a {what} cannot be told."
    text = f"Times as fast by sharing ('{best}'), a {what}: {', '.join(said)}"
    return text + (f"; under {' and '.join(unclear)} no difference can be told." if unclear else ".")
