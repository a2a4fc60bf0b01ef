"""What the layout of a build is worth, from builds of one commit (`rebuilding` makes them)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from qcaps.history.store import HistoryStore


def scatter(store: HistoryStore, benchmark: int) -> float:
    """The standard deviation of ln of a benchmark's time over layouts, its pairs' own error taken off.

    0 where fewer than three builds of one commit were timed.
    """
    rows = store.connection.execute(
        "SELECT environment, revision, difference, variance FROM layout WHERE benchmark = ?", (benchmark,)
    ).fetchall()
    found = []
    for commit in dict.fromkeys(row[:2] for row in rows):
        own = [row[2:] for row in rows if row[:2] == commit]
        if len(own) > 1:
            # the first build, which the others are timed with, lies at 0 without an error
            logs = np.array([0.0, *(difference for difference, _ in own)])
            error = float(np.mean([variance for _, variance in own]))
            found.append(max(float(np.var(logs, ddof=1)) - error, 0.0))
    return math.sqrt(sum(found) / len(found)) if found else 0.0
