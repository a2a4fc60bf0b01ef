"""How long a page and a query take on a store of a million pairs, and how large the page is.

    python bench/studies/history_store.py FOLDER [--benchmarks 50] [--revisions 1000] [--pairs 10]

The store is filled as `qcaps history` fills it: each revision in pairs with two anchors. Levels scatter as
pairs do, a few benchmarks have steps and counts that change. Seconds of the wall, and of this process alone,
which other work on the machine does not lengthen as much.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np

from qcaps.history import records, track
from qcaps.history.records import Compared, Revision
from qcaps.history.store import HistoryStore, reading, writing
from qcaps.measure.cell import Cell
from qcaps.measure.subject import Counts
from qcaps.report import history_page

QUERIES = 11


def fill(store: HistoryStore, benchmarks: int, revisions: int, pairs: int) -> None:
    """Two anchors, and as many pairs of each revision with both, of each benchmark."""
    draw = np.random.default_rng(3)
    with store.transaction() as connection:
        records.set_about(connection, records.LINE, "0" * 40)
        place = records.environment_id(connection, {"hostname": "here", "python_version": "3.11.2"})
        line = [
            records.revision_id(
                connection, Revision(at, f"{at:040x}", f"{at:012x}", "2026-01-01", f"What commit {at} does")
            )
            for at in range(revisions)
        ]
        for anchor in line[:2]:
            records.make_anchor(connection, anchor)
    for number in range(benchmarks):
        cell = Cell(("disks", "nics", "serials")[number % 3], 1 + number, policy="once")
        levels = np.zeros(revisions)
        for _ in range(number % 4):
            levels[draw.integers(5, revisions - 5) :] += draw.normal(0, 0.04)
        changed = int(draw.integers(5, revisions - 5)) if number % 7 == 0 else revisions
        with store.transaction() as connection:
            benchmark = records.benchmark_id(connection, cell)
            for base in range(2):
                heads = np.repeat(np.arange(base + 1, revisions), pairs)
                base_seconds = 0.002 * np.exp(draw.normal(0, 0.05, len(heads)))
                ratio = levels[heads] - levels[base] + draw.normal(0, 0.015, len(heads))
                rows = zip(
                    np.array(line)[heads].tolist(),
                    np.tile(np.arange(pairs), revisions - base - 1).tolist(),
                    base_seconds.tolist(),
                    (base_seconds * np.exp(ratio)).tolist(),
                    strict=True,
                )
                connection.executemany(
                    "INSERT INTO pair VALUES (?, ?, ?, ?, ?, ?, ?)",
                    [
                        (benchmark, *Compared(place, line[base], head), at, *seconds)
                        for head, at, *seconds in rows
                    ],
                )
            for at, revision in enumerate(line):
                counts = Counts(number, 2 + number if at >= changed else 2, 2, 0, 0)
                records.add_counts(connection, place, revision, {cell: counts})


def both() -> np.ndarray:
    """Seconds of the wall and of this process."""
    return np.array([time.perf_counter(), time.process_time()])


def said(seconds: np.ndarray) -> str:
    """Both in words."""
    return f"{seconds[0]:.3f} s (of this process {seconds[1]:.3f})"


def main() -> int:
    """Fill, ask, draw, and say what that took."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--benchmarks", type=int, default=50)
    parser.add_argument("--revisions", type=int, default=1000)
    parser.add_argument("--pairs", type=int, default=10)
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    path, page = args.folder / "history.db", args.folder / history_page.PAGE
    if not path.exists():
        with writing(path) as store:
            fill(store, args.benchmarks, args.revisions, args.pairs)
    with reading(path) as store:
        (pairs,) = store.connection.execute("SELECT count(*) FROM pair").fetchone()
        costs, reads = [], []
        cells, line, anchors = (
            records.benchmarks(store),
            list(records.revisions(store)),
            records.anchors(store),
        )
        for benchmark in list(cells)[:QUERIES]:
            start = both()
            rows = track.pairs_of(store, benchmark)
            costs.append(both() - start)
            start = both()
            track.read(store, benchmark, cells[benchmark], line, anchors)
            reads.append(both() - start)
        start = both()
        shown = history_page.build(store, page)
        took = both() - start
    size = path.stat().st_size / 1e6
    sys.stdout.write(
        f"{pairs} pairs, {size:.0f} MB\n"
        f"a benchmark's {len(rows)} pairs: {said(np.median(costs, axis=0))}\n"
        f"its levels and changes: {said(np.median(reads, axis=0))}\n"
        f"a page of {shown} benchmarks, {page.stat().st_size / 1e6:.2f} MB: {said(took)}\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
