"""A gate on two results files: counts exactly, times only where they were measured together.

Files of one `qcaps gate` hold pairs, and are judged as it judged them. Others were measured at different
times: what differs may be the machine, and no number of blocks tells (13 minutes and another load apart, 144
benchmarks of equal code were slower by up to 467 %). They are shown, APART, and never judged on time.
"""

from __future__ import annotations

import math
from statistics import median
from typing import TYPE_CHECKING

from qcaps.errors import QcapsError, UsageError
from qcaps.measure.gate import counting
from qcaps.measure.gate.arms import MismatchError
from qcaps.measure.gate.decision import GateOutcome, Judged, judge_all
from qcaps.measure.gate.pair_store import PairStore, paired
from qcaps.measure.gate.series import point
from qcaps.measure.gate.verdict import Judgement, Verdict
from qcaps.measure.results import results_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from qcaps.measure.gate.margins import MarginTable
    from qcaps.measure.results.results_file import Measured, Results

_SAME = ("hostname", "cpu_model_name", "platform", "python_version")
_SESSION = "gate_session"
_CIRCUMSTANCES = (
    ("load_avg_1min", "load when it began"),
    ("cpu_freq", "processor frequency"),
    ("governor", "frequency governor"),
    ("cpu_quota", "share of the processors"),
    ("python_build", "interpreter's build"),
    ("qemu_version", "QEMU"),
)


def compare_files(base_file: Path, head_file: Path, table: MarginTable, *, times: bool = True) -> GateOutcome:
    """The verdicts on two files; on counts alone without `times`.

    Raises UsageError for a bad one, MismatchError if they do not match.
    """
    base, head = read(base_file), read(head_file)
    bases = {one.cell: one for one in base.measured}
    both = [(bases[one.cell], one) for one in head.measured if one.cell in bases]
    if not both:
        raise MismatchError(
            f"{base_file} and {head_file} have no benchmark in common: measure the same suite"
        )
    outcome = GateOutcome(finished=True)
    _note_missing(outcome, base, head, len(both))
    for one, other in both:
        outcome.counts[one.cell] = (one.counts, other.counts)
        releases = {side.runs[0].facts.get("release") for side in (one, other)}
        laws = counting.of_reference(other.cell, other.counts, other.runs[0].facts)
        outcome.laws[one.cell] = (
            counting.of_reference(one.cell, one.counts, one.runs[0].facts).lookups,
            laws.lookups,
        )
        outcome.faults += counting.faults(
            one.cell, one.counts, other.counts, laws, devices_may=len(releases) > 1
        )
    if outcome.faults or not times:
        return outcome
    if measured_together(base, head):
        outcome.judged = judge_all(outcome, table, PairStore(None, pairs=paired(base, head)))
        return outcome
    _check_machine(base_file, head_file, both[0])
    outcome.notes += _circumstances(both[0])
    outcome.notes.append("measured apart: differences are shown, and not judged; counts are exact")
    outcome.judged = [_apart(one, other, table) for one, other in both]
    return outcome


def _apart(base: Measured, head: Measured, table: MarginTable) -> Judged:
    """Levels side by side."""
    one, other = (math.exp(median(_logs(side))) for side in (base, head))
    return Judged(point(base.cell), table.of(base.cell.name), Judgement(Verdict.APART, 0), one, other)


def _circumstances(both: tuple[Measured, Measured]) -> Iterator[str]:
    """What is recorded of the machine and differs: said before any time."""
    one, other = (side.runs[0].facts for side in both)
    for name, said in _CIRCUMSTANCES:
        if name in one and name in other and one[name] != other[name]:
            yield f"{said}: {one[name]} for base, {other[name]} for head"


def _logs(one: Measured) -> list[float]:
    return [math.log(value) for run in one.runs for value in run.block_values]


def read(path: Path) -> Results:
    """The results in a file. Raises UsageError: a file that cannot be used is a wrong call, no regression."""
    try:
        return results_file.read(path)
    except QcapsError as error:
        raise UsageError(str(error)) from error


def measured_together(base: Results, head: Results) -> bool:
    """Whether the blocks of two files are those of one gate's pairs."""
    one, other = (
        {str(run.facts.get(_SESSION, "")) for one in results.measured for run in one.runs}
        for results in (base, head)
    )
    return len(one) == 1 and one == other and "" not in one


def _check_machine(base_file: Path, head_file: Path, both: tuple[Measured, Measured]) -> None:
    one, other = (side.runs[0].facts for side in both)
    for name in _SAME:
        if one.get(name) != other.get(name):
            raise MismatchError(
                f"{name} is {one.get(name)!r} in {base_file}, {other.get(name)!r} in {head_file}:"
                " counts agree, but times of two machines do not compare"
            )


def _note_missing(outcome: GateOutcome, base: Results, head: Results, both: int) -> None:
    for results, name in ((base, "base"), (head, "head")):
        if missing := len(results.measured) - both:
            outcome.notes.append(f"{missing} benchmarks are in {name} only, and were not compared")
