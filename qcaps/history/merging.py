"""Two stores of one line brought together: what both hold is there once, whatever the order and how often."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from qcaps.history import records
from qcaps.history.store import location, reading

if TYPE_CHECKING:
    from pathlib import Path

    from qcaps.history.store import HistoryStore

_NAMED = """
    INSERT OR IGNORE INTO environment (facts) SELECT facts FROM other.environment ORDER BY id;
    INSERT OR IGNORE INTO revision (name, label, position, date, summary)
        SELECT name, label, position, date, summary FROM other.revision ORDER BY id;
    INSERT OR IGNORE INTO benchmark (name, cell) SELECT name, cell FROM other.benchmark ORDER BY id;
    CREATE TEMP TABLE e AS SELECT o.id AS theirs, m.id AS ours
        FROM other.environment o JOIN main.environment m USING (facts);
    CREATE TEMP TABLE r AS SELECT o.id AS theirs, m.id AS ours
        FROM other.revision o JOIN main.revision m USING (name);
    CREATE TEMP TABLE b AS SELECT o.id AS theirs, m.id AS ours
        FROM other.benchmark o JOIN main.benchmark m USING (name) UNION SELECT 0, 0
"""
_COUNTED = """
    INSERT OR IGNORE INTO counted
    SELECT b.ours, e.ours, r.ours, o.devices, o.lookups, o.validations, o.forks, o.probes FROM other.counted o
    JOIN temp.b ON b.theirs = o.benchmark JOIN temp.e ON e.theirs = o.environment
    JOIN temp.r ON r.theirs = o.revision
"""
_GAPS = """
    INSERT OR IGNORE INTO gap
    SELECT r.ours, e.ours, b.ours, o.why FROM other.gap o JOIN temp.r ON r.theirs = o.revision
    JOIN temp.e ON e.theirs = o.environment JOIN temp.b ON b.theirs = o.benchmark
"""
_SETTLED = """
    INSERT OR IGNORE INTO settled
    SELECT b.ours, e.ours, one.ours, two.ours, o.verdict, o.ratio, o.low, o.high, o.pairs FROM other.settled o
    JOIN temp.b ON b.theirs = o.benchmark JOIN temp.e ON e.theirs = o.environment
    JOIN temp.r one ON one.theirs = o.before JOIN temp.r two ON two.theirs = o.after
"""
_LAYOUTS = """
    INSERT OR IGNORE INTO layout
    SELECT b.ours, e.ours, r.ours, o.number, o.difference, o.variance FROM other.layout o
    JOIN temp.b ON b.theirs = o.benchmark JOIN temp.e ON e.theirs = o.environment
    JOIN temp.r ON r.theirs = o.revision
"""
_ANCHORS = "UPDATE main.revision SET anchor = 1 WHERE name IN (SELECT name FROM other.revision WHERE anchor)"
# Seconds of a pair are told to the nanosecond: equal ones are the same pair, copied before.
_PAIRS = """
    INSERT INTO pair
    SELECT benchmark, environment, base, head,
        coalesce((SELECT max(number) FROM main.pair p WHERE (p.benchmark, p.environment, p.base, p.head)
            = (n.benchmark, n.environment, n.base, n.head)), -1)
        + row_number() OVER (PARTITION BY benchmark, environment, base, head ORDER BY number),
        base_seconds, head_seconds
    FROM (SELECT b.ours AS benchmark, e.ours AS environment, one.ours AS base, two.ours AS head, o.number,
            o.base_seconds, o.head_seconds
        FROM other.pair o JOIN temp.b ON b.theirs = o.benchmark JOIN temp.e ON e.theirs = o.environment
        JOIN temp.r one ON one.theirs = o.base JOIN temp.r two ON two.theirs = o.head) n
    WHERE NOT EXISTS (SELECT 1 FROM main.pair p
        WHERE (p.benchmark, p.environment, p.base, p.head) = (n.benchmark, n.environment, n.base, n.head)
        AND (p.base_seconds, p.head_seconds) = (n.base_seconds, n.head_seconds))
"""


class Merged(NamedTuple):
    """How much came in."""

    revisions: int
    pairs: int


def merge(store: HistoryStore, other: Path) -> Merged:
    """Take into the store what another has. Raises UsageError for one of another line; QcapsError."""
    with reading(other) as theirs:
        line = records.about(theirs, records.LINE)
    if line:
        records.check_line(store, line)
    store.connection.execute("ATTACH ? AS other", (location(other, "ro"),))
    try:
        before = _sizes(store)
        with store.transaction() as connection:
            if line:
                records.set_about(connection, records.LINE, line)
            for statement in (*_NAMED.split(";"), _COUNTED, _GAPS, _SETTLED, _LAYOUTS, _ANCHORS, _PAIRS):
                connection.execute(statement)
            for table in "erb":
                connection.execute(f"DROP TABLE temp.{table}")
        after = _sizes(store)
    finally:
        store.connection.execute("DETACH other")
    return Merged(after.revisions - before.revisions, after.pairs - before.pairs)


def _sizes(store: HistoryStore) -> Merged:
    (row,) = store.connection.execute(
        "SELECT (SELECT count(*) FROM revision), (SELECT count(*) FROM main.pair)"
    )
    return Merged(*row)
