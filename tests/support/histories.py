"""A history to be shown: a step that a gate has settled, one that is suspected, one of lookups, and a gap."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from qcaps.history import records
from qcaps.history.records import Compared, Revision
from qcaps.history.store import writing
from qcaps.measure.cell import Cell
from qcaps.measure.gate.series import Pair
from qcaps.measure.gate.verdict import Interval, Verdict
from qcaps.measure.subject import Counts

if TYPE_CHECKING:
    from pathlib import Path


def fill(path: Path, *, hostile: str = "nics") -> list[str]:
    """Forty revisions of three benchmarks, whose names are given back; `hostile` stands where a name may."""
    draw = np.random.default_rng(6)
    cells = (Cell("disks", 4), Cell(hostile, 1), Cell("quiet", 2))
    with writing(path) as opened, opened.transaction() as connection:
        place = records.environment_id(connection, {"hostname": hostile})
        line = [
            records.revision_id(
                connection,
                Revision(at, f"{at:040x}", f"r{at}", "2026-11-27", hostile if at == 20 else ""),
            )
            for at in range(40)
        ]
        for at, head in enumerate(line):
            if at < 2:
                records.make_anchor(connection, head)
            if at == 7:
                records.add_gap(connection, place, head, hostile)
                continue
            for which, cell in enumerate(cells):
                counts = Counts(4, 9 if which == 0 and at >= 30 else 2, 2, 0, 0)
                records.add_counts(connection, place, head, {cell: counts})
                level = 0.05 * (at >= 20) * (which < 2)
                for base in line[: min(at, 2)]:
                    pairs = [Pair(1.0, math.exp(level + draw.normal(0, 0.01))) for _ in range(8)]
                    records.add_pairs(connection, Compared(place, base, head), cell, pairs)
        found = Interval(1.05, 1.03, 1.07, 20, 0.01, "")
        records.add_settled(connection, Compared(place, line[19], line[20]), cells[0], Verdict.FAIL, found)
    return [cell.name for cell in cells]
