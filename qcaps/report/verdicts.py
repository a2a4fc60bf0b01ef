"""What a gate says, as plain rows: for a terminal, for Markdown, for JSON and for the exports."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from qcaps.report import escaping, work
from qcaps.report.fitting import fitted
from qcaps.units import duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.text import Text

    from qcaps.measure.gate.decision import GateOutcome, Judged
    from qcaps.measure.gate.doing import Doing

HEADINGS = (
    "benchmark",
    "verdict",
    "change",
    "interval",
    "margin",
    "base",
    "head",
    "pairs",
    "detectable",
    "lookups",
)
_LEFT = 2
_STYLES = {"FAIL": "bold red", "IMPROVED": "green", "INCONCLUSIVE": "yellow", "APART": "dim"}
LEGEND = (
    "change: head against base, with the interval its verdict was made by: for FAIL and IMPROVED one that is"
    " valid whenever one stops, else Hodges-Lehmann's, each bound wrong in 1 % of looks."
    " margin: more than the first is a regression, surely less than the second passes."
    " detectable: the smallest slowdown that as many pairs find in nine of ten runs."
)


@dataclass(frozen=True)
class VerdictRow:
    """One series. Ratios are head / base; `delta` and `margin` shares; seconds medians of blocks; counts
    head's.
    """

    name: str
    verdict: str
    ratio: float | None
    low: float | None
    high: float | None
    pairs: int
    detectable: float | None
    delta: float
    margin: float
    rule: str
    base_seconds: float | None = None
    head_seconds: float | None = None
    lookups: int | None = None
    forks: int | None = None


@dataclass(frozen=True)
class CountRow:
    """What each arm counts on one benchmark, and how often it looks up by its own law (None: no law)."""

    name: str
    base_devices: int
    head_devices: int
    base_lookups: int
    head_lookups: int
    base_law: int | None
    head_law: int | None


@dataclass(frozen=True)
class GateReport:
    """A gate's answer. `faults` are counts that differ; `noisy` says why the host cannot judge.

    `newly_refused` is what head refuses and base does, with head's words; other refusals are notes.
    `better` is how many counts of a libvirt are lower than base's or its law's, which is no
    fault; `work` is what they do otherwise, by name, where that was asked for.
    """

    base: str
    head: str
    rows: tuple[VerdictRow, ...]
    counts: tuple[CountRow, ...] = ()
    faults: tuple[str, ...] = ()
    noisy: str = ""
    notes: tuple[str, ...] = ()
    better: int = 0
    work: tuple[Doing, ...] = ()
    newly_refused: tuple[str, ...] = ()

    @property
    def headline(self) -> str:
        """One line: the worst first."""
        worse = []
        if self.faults:
            many = len(self.faults)
            worse.append("1 count differs" if many == 1 else f"{many} counts differ")
        if self.newly_refused:
            worse.append(f"head refuses what base takes: {len(self.newly_refused)}")
        if worse:
            return f"FAIL: {'; '.join(worse)}"
        if self.noisy:
            return f"NOISY HOST: {self.noisy}"
        found: dict[str, int] = {}
        for row in self.rows:
            found[row.verdict] = found.get(row.verdict, 0) + 1
        counted = f"IMPROVED: {self.better} counts are lower" if self.better else ""
        timed = ", ".join(f"{found[name]} {name}" for name in _WORST_FIRST if name in found)
        if timed:
            return f"{timed}; {counted}" if counted else timed
        return f"{counted or 'counts agree'}; nothing was timed"


_WORST_FIRST = ("FAIL", "INCONCLUSIVE", "APART", "IMPROVED", "PASS")


def from_outcome(outcome: GateOutcome, base: str, head: str) -> GateReport:
    """The report of what a gate found."""
    return GateReport(
        base,
        head,
        tuple(_row(one, outcome) for one in outcome.judged),
        tuple(
            CountRow(
                cell.name,
                one.devices,
                other.devices,
                one.lookups,
                other.lookups,
                *outcome.laws.get(cell, (None, None)),
            )
            for cell, (one, other) in outcome.counts.items()
        ),
        tuple(str(fault) for fault in outcome.faults),
        outcome.noisy,
        (*outcome.notes, *_refusals(outcome, newly=False)),
        len(outcome.better),
        tuple(outcome.work),
        tuple(_refusals(outcome, newly=True)),
    )


def _refusals(outcome: GateOutcome, *, newly: bool) -> Iterator[str]:
    """A line for each cell that was left out; `newly`: those that base does."""
    for cell, why in outcome.refused.items():
        if (cell in outcome.newly_refused) is not newly:
            continue
        if len(set(why.values())) == 1 and len(why) > 1:
            yield f"{cell.name}: left out: both refuse it: {next(iter(why.values()))}"
        else:
            words = "; ".join(f"{arm} refuses it: {words}" for arm, words in why.items())
            yield f"{cell.name}: {words}" if newly else f"{cell.name}: left out: {words}"


def to_json(report: GateReport) -> dict[str, Any]:
    """The report as JSON can hold it, the headline first."""
    return {"headline": report.headline, **asdict(report)}


def table(report: GateReport, width: int = 200) -> Text:
    """For a terminal of so many columns; in a narrow one a name stands above its numbers."""
    rows = [texts(row) for row in report.rows]
    styles = [_STYLES.get(row.verdict, "") for row in report.rows]
    drop = ("detectable", "margin", "lookups", "base", "head")
    return fitted(HEADINGS, rows, width, left=HEADINGS[:_LEFT], drop=drop, styles=styles)


_COUNTED = ("D in base", "in head", "lookups in base", "by law", "in head", "by law")


def counts_table(report: GateReport, width: int = 200) -> Text | None:
    """Devices and lookups of both arms, for a terminal; None where they are the same throughout."""
    rows = _counted(report)
    return fitted(("benchmark", *_COUNTED), rows, width) if rows else None


def _counted(report: GateReport) -> list[tuple[str, ...]]:
    """A row for each benchmark whose counts differ, or where nothing else is shown, for each there is."""
    differ = [one for one in report.counts if _sides(one, "base") != _sides(one, "head")]
    found = []
    for one in report.counts if not report.rows else differ:
        base, head = _sides(one, "base"), _sides(one, "head")
        cells = ("-" if value is None else str(value) for value in (base[0], head[0], *base[1:], *head[1:]))
        found.append((one.name, *cells))
    return found


def _sides(one: CountRow, side: str) -> tuple[int | None, ...]:
    """Devices, lookups and law of an arm."""
    return tuple(getattr(one, f"{side}_{what}") for what in ("devices", "lookups", "law"))


def markdown(report: GateReport) -> str:
    """For a step summary or a pull request: counts first, and the smallest slowdown that was detectable."""
    said = escaping.markdown
    lines = [f"### {said(report.headline)}", "", f"base: {said(report.base)}, head: {said(report.head)}", ""]
    lines += [f"* **count** {said(fault)}" for fault in report.faults]
    lines += [f"* **refused** {said(line)}" for line in report.newly_refused]
    lines += [f"* {said(note)}" for note in report.notes]
    if detectable := _detectable(report):
        lines += [f"* {said(detectable)}"]
    if counted := _counted(report):
        lines += ["", *_grid(("benchmark", *_COUNTED), counted, left=1)]
    if rows := work.texts(report.work):
        lines += ["", *_grid(work.HEADINGS, rows, left=work.LEFT)]
    if report.rows:
        lines += ["", *_grid(HEADINGS, [texts(row) for row in report.rows], left=_LEFT), "", LEGEND]
    return "\n".join(lines) + "\n"


def _grid(headings: Sequence[str], rows: Sequence[Sequence[str]], left: int) -> list[str]:
    """A table in Markdown, all but the columns on the `left` to the right."""
    return [
        "| " + " | ".join(headings) + " |",
        "|" + "|".join("---" if n < left else "---:" for n in range(len(headings))) + "|",
        *("| " + " | ".join(map(escaping.markdown, row)) + " |" for row in rows),
    ]


def _detectable(report: GateReport) -> str:
    """What slowdown every benchmark would have shown, and which was the dullest."""
    known = [row for row in report.rows if row.detectable is not None]
    if not known:
        return ""
    worst = max(known, key=lambda row: row.detectable or 0)
    best = min(known, key=lambda row: row.detectable or 0)
    if worst is best:
        return f"smallest detectable slowdown: {100 * (worst.detectable or 0):.1f} % ({worst.name})"
    return (
        f"smallest detectable slowdown: {100 * (best.detectable or 0):.1f} % ({best.name}) to"
        f" {100 * (worst.detectable or 0):.1f} % ({worst.name})"
    )


def texts(row: VerdictRow) -> tuple[str, ...]:
    """A row as text, under HEADINGS."""
    return (
        row.name,
        row.verdict,
        _percent(row.ratio),
        f"{_percent(row.low)} to {_percent(row.high)}" if row.low is not None else "",
        f"{100 * row.delta:g}, {100 * row.margin:g} %",
        "" if row.base_seconds is None else duration(row.base_seconds),
        "" if row.head_seconds is None else duration(row.head_seconds),
        str(row.pairs or ""),
        "" if row.detectable is None else f"{100 * row.detectable:.1f} %",
        "" if row.lookups is None else str(row.lookups),
    )


def _row(one: Judged, outcome: GateOutcome) -> VerdictRow:
    found = one.judgement.interval
    counts = outcome.counts.get(one.series.cells[0]) if len(one.series.cells) == 1 else None
    return VerdictRow(
        name=one.series.name,
        verdict=one.verdict.value,
        ratio=found.ratio if found else _apart(one),
        low=found.low if found else None,
        high=found.high if found else None,
        pairs=found.pairs if found else 0,
        detectable=found.detectable if found else None,
        delta=one.margins.delta,
        margin=one.margins.margin,
        rule=found.rule if found else "",
        base_seconds=one.base_seconds,
        head_seconds=one.head_seconds,
        lookups=counts[1].lookups if counts else None,
        forks=counts[1].forks if counts else None,
    )


def _apart(one: Judged) -> float | None:
    """Head's level over base's, where there are no pairs."""
    return one.head_seconds / one.base_seconds if one.head_seconds and one.base_seconds else None


def _percent(ratio: float | None) -> str:
    return "" if ratio is None else f"{100 * (ratio - 1):+.1f} %"
