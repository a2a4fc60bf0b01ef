"""All levels and counts as CSV, a row a revision: what Otava's CSV importer and spreadsheets read.

For Otava a test of the type `csv` with `time_column: time`, `attributes: [commit, version]`, and as metrics
the columns wanted, `direction: -1` each: less is better.
"""

from __future__ import annotations

import csv
import io
import math
from typing import TYPE_CHECKING

from qcaps.history import records, track

if TYPE_CHECKING:
    from qcaps.history.store import HistoryStore

UNDATED = "1970-01-01T00:00:00+00:00"


def as_csv(store: HistoryStore) -> str:
    """Time, commit, version, then each benchmark's ratio to the first anchor and its lookups, or nothing.

    Of segments that no common revisions join, the newest; ratios of two would not compare.
    """
    known, tracks = records.revisions(store), track.read_all(store)
    order = {number: at for at, number in enumerate(known)}
    columns: list[tuple[str, dict[int, str]]] = []
    for one in tracks:
        newest = max(one.segments, key=lambda some: order[some.levels[-1].revision], default=None)
        levels = newest.levels if newest else ()
        ratios = {level.revision: f"{math.exp(level.log):.6f}" for level in levels}
        columns.append((f"{one.cell.name} ratio", ratios))
        lookups = {number: str(counted.lookups) for number, counted in one.counts.items()}
        columns.append((f"{one.cell.name} lookups", lookups))
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["time", "commit", "version", *(name for name, _ in columns)])
    for number, revision in known.items():
        values = [column.get(number, "") for _, column in columns]
        if any(values):
            rows.writerow([revision.date or UNDATED, revision.name, str(revision), *values])
    return text.getvalue()
