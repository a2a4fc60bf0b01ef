"""What a report is drawn from: one or several results files, and the results they amount to together."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from qcaps.bounded import read_json
from qcaps.errors import QcapsError
from qcaps.measure.results import results_file
from qcaps.measure.results.results_file import Measured, Results
from qcaps.measure.subject import REFERENCE, is_reference, ruled_by
from qcaps.measure.torn import torn_file as tornfile

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from qcaps.measure.cell import Cell
    from qcaps.measure.results.results_file import Metadata
    from qcaps.measure.torn.torn_file import Found


@dataclass(frozen=True)
class ResultsSource:
    """One results file; `facts` are those of its first run, `label` is what tells it from the others."""

    name: str
    results: Results
    label: str = ""

    @property
    def facts(self) -> Metadata:
        """Metadata of the first run; empty where nothing was measured."""
        return next((run.facts for one in self.results.measured for run in one.runs), {})

    @property
    def date(self) -> str:
        """When its last run was made, as ISO 8601, or ""."""
        runs = (run for one in self.results.measured for run in one.runs)
        return max((str(run.facts.get("date", "")) for run in runs), default="")

    @property
    def commit(self) -> str:
        """The commit that was measured, or ""."""
        return str(self.facts.get("git_commit", ""))


@dataclass(frozen=True)
class GateRow:
    """One benchmark a gate judged; ratios are head / base, None where nothing was timed."""

    name: str
    verdict: str
    ratio: float | None
    low: float | None
    high: float | None
    pairs: int
    detectable: float | None


@dataclass(frozen=True)
class Gate:
    """What `qcaps gate` found, from its report file."""

    name: str
    headline: str
    base: str
    head: str
    rows: tuple[GateRow, ...]
    faults: tuple[str, ...]


@dataclass(frozen=True)
class TornSource:
    """What `qcaps torn` found, from its file."""

    name: str
    found: Found


@dataclass(frozen=True)
class Sources:
    """All files, oldest first; `complaints` has a line for each file or benchmark that could not be read.

    `results` holds each comparison from the newest file that has it, so that its arms were measured together.
    """

    files: tuple[ResultsSource, ...]
    complaints: tuple[str, ...] = ()
    gates: tuple[Gate, ...] = ()
    torn: tuple[TornSource, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Of all files that could be read."""
        return (
            *(one.name for one in self.files),
            *(one.name for one in self.gates),
            *(one.name for one in self.torn),
        )

    @property
    def results(self) -> Results:
        """The comparisons of all files, each from the newest."""
        newest: dict[Cell, tuple[Measured, ...]] = {}
        for file in self.files:
            newest |= {
                comparison: tuple(arms.values()) for comparison, arms in file.results.by_comparison().items()
            }
        return Results(tuple(one for arms in newest.values() for one in arms))

    @property
    def reference(self) -> Results:
        """The part of `results` that the reference was measured for; of several releases, the newest."""
        subjects = {one.cell.subject for one in self.results.measured if is_reference(one.cell.subject)}
        return of_subject(self.results, max(subjects, key=ruled_by, default=REFERENCE))


def of_subject(results: Results, subject: str) -> Results:
    """Only what was measured on one subject."""
    return Results(tuple(one for one in results.measured if one.cell.subject == subject))


def from_results(results: Results, name: str = "results.json") -> Sources:
    """The sources of results already in memory."""
    return Sources((ResultsSource(name, results),))


def load(paths: Sequence[Path]) -> Sources:
    """Read what can be read of each file: results, a gate's report, or what `qcaps torn` found."""
    files, complaints, gates, torn = [], [], [], []
    for path in paths:
        gate = _gate(path)
        if gate is not None:
            gates.append(gate)
            continue
        try:
            if tornfile.is_ours(path):
                torn.append(TornSource(str(path), tornfile.read(path)))
                continue
            results, unread = results_file.read_leniently(path)
        except QcapsError as error:
            complaints.append(str(error))
            continue
        complaints += unread
        if not results.measured and not unread:
            complaints.append(f"{path}: nothing was measured")
        files.append(ResultsSource(str(path), results))
    labelled = _labelled(sorted(files, key=lambda file: file.date))
    return Sources(tuple(labelled), tuple(complaints), tuple(gates), tuple(torn))


def _gate(path: Path) -> Gate | None:
    """The report of a gate in a file, if that is what the file is."""
    try:
        plain = read_json(path)
        rows = tuple(GateRow(**{one.name: row[one.name] for one in fields(GateRow)}) for row in plain["rows"])
        headline, base, head = (str(plain[name]) for name in ("headline", "base", "head"))
        return Gate(str(path), headline, base, head, rows, tuple(map(str, plain["faults"])))
    except (OSError, ValueError, LookupError, TypeError, QcapsError):
        return None


def _labelled(files: Sequence[ResultsSource]) -> Iterable[ResultsSource]:
    """Commits where each file has its own, else file names; numbered where even these are the same."""
    commits = [file.commit[:10] + ("+" if file.commit.endswith("+") else "") for file in files]
    labels = commits if all(commits) and len(set(commits)) == len(commits) else [file.name for file in files]
    for number, (file, label) in enumerate(zip(files, labels, strict=True), start=1):
        yield ResultsSource(
            file.name, file.results, label if labels.count(label) == 1 else f"{label} ({number})"
        )
