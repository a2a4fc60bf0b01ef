"""The pairs of a gate and the files that keep them: base.json and head.json, each a results file.

A pair is the block of one number (`worker` in the files) of both. The files of one folder belong to one
session, named in `gate.json`, so that a gate that was killed goes on where it was and no other.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Any

from qcaps.errors import QcapsError
from qcaps.measure.gate.series import Pair
from qcaps.measure.results import kept, results_file
from qcaps.measure.results.results_file import Results

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from qcaps.measure.cell import Cell
    from qcaps.measure.gate.rounds import Sides
    from qcaps.measure.results.results_file import Run

BASE, HEAD, SESSION = "base.json", "head.json", "gate.json"
PREFLIGHT = "preflight"
_EMPTY = Results(())


@dataclass
class PairStore:
    """Pairs in memory and, with a folder, on disk; `prefix` tells the pre-flight's files from the gate's."""

    folder: Path | None
    prefix: str = ""
    base: Results = _EMPTY
    head: Results = _EMPTY
    pairs: dict[Cell, list[Pair]] = field(default_factory=dict)
    _unsaved: bool = False

    @classmethod
    def from_folder(cls, folder: Path, prefix: str = "") -> PairStore:
        """What an earlier session left; blocks whose partner was not written are dropped."""
        base, head = (_read(folder / (prefix + name)) for name in (BASE, HEAD))
        return cls(folder, prefix, base, head, paired(base, head))

    def add(self, sides: Sides) -> None:
        """One more pair of a cell; `save` puts it on the disk."""
        one, other = sides
        self.base, self.head = results_file.add(self.base, [one]), results_file.add(self.head, [other])
        self.pairs.setdefault(one.cell, []).append(_pair(one.runs[0], other.runs[0]))
        self._unsaved = True

    def save(self) -> None:
        """Write both files; each is replaced at once."""
        if self.folder is not None and self._unsaved:
            self._unsaved = False
            results_file.write(self.folder / (self.prefix + BASE), self.base)
            results_file.write(self.folder / (self.prefix + HEAD), self.head)

    def runs(self, cell: Cell) -> list[tuple[Run, Run]]:
        """The blocks behind a cell's pairs."""
        base, head = (
            next((one.runs for one in side.measured if one.cell == cell), ())
            for side in (self.base, self.head)
        )
        return list(zip(base, head, strict=False))

    def taken(self, cell: Cell) -> int:
        """How many pairs of a cell there are."""
        return len(self.pairs.get(cell, ()))


def paired(base: Results, head: Results) -> dict[Cell, list[Pair]]:
    """The pairs of two files that were measured together, by the numbers of their blocks."""
    heads = {one.cell: {run.worker: run for run in one.runs} for one in head.measured}
    return {
        one.cell: [
            _pair(run, heads[one.cell][run.worker]) for run in one.runs if run.worker in heads[one.cell]
        ]
        for one in base.measured
        if one.cell in heads
    }


def _pair(base: Run, head: Run) -> Pair:
    """Base's block value, and as much times that as head took in the middle one of their turns.

    The calls of a turn follow each other at once. A machine that goes from one speed to another, as virtual
    ones do, spoils the turn it does so in; the quickest call of each block could be from either speed.
    """
    value = base.block_values[0]
    turns = zip(base.blocks[0], head.blocks[0], strict=False)  # as long as each other, or cut off
    head_value = value * median(after / before for before, after in turns)
    return Pair(value, head_value, str(base.facts.get("hostname", "")), base.worker)


def begin(folder: Path, identity: Mapping[str, Any]) -> bool:
    """Make a folder ready for a session; whether one of this identity is unfinished, to go on with."""
    known = kept.read(folder / SESSION)
    if known is not None and known["identity"] == identity and not known.get("finished"):
        return True
    for preflight in (False, True):
        forget(folder, preflight=preflight)
    kept.write(folder / SESSION, identity, finished=False)
    return False


def forget(folder: Path, *, preflight: bool) -> None:
    """Remove the pairs of a folder, or those of its pre-flight."""
    for name in (BASE, HEAD):
        (folder / (f"{PREFLIGHT}-{name}" if preflight else name)).unlink(missing_ok=True)


def _read(path: Path) -> Results:
    if not path.exists():
        return _EMPTY
    found = results_file.read(path)
    if any(len(run.blocks) != 1 for one in found.measured for run in one.runs):
        raise QcapsError(f"{path}: not measured by 'qcaps gate'; name another --output")
    return found
