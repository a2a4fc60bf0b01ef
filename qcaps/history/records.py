"""What a store holds, as values: revisions of a line, environments, counts, pairs, gaps."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from qcaps.errors import UsageError, unknown
from qcaps.measure.cell import Cell
from qcaps.measure.gate.counting import COUNTED
from qcaps.measure.gate.verdict import Verdict

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Mapping

    from qcaps.history.store import HistoryStore
    from qcaps.measure.gate.series import Pair
    from qcaps.measure.gate.verdict import Interval
    from qcaps.measure.subject import Counts

LINE, PLAN = "line", "plan"
"""Of `about`: whose history it is, and what was asked for last."""
ALL = 0
"""The benchmark of a gap that is a whole revision's."""


@dataclass(frozen=True, order=True)
class Revision:
    """One version of what is measured: `name` is a full commit or a subject, `label` what people call it.

    `position` orders the line: how many commits of the main line lie before it, or a release's number.
    """

    position: int
    name: str
    label: str = ""
    date: str = ""
    summary: str = ""

    def __str__(self) -> str:
        return self.label or self.name[:12]


class Compared(NamedTuple):
    """Two revisions somewhere, by their numbers."""

    environment: int
    base: int
    head: int


class Gap(NamedTuple):
    """A revision that could not be measured, or one of its benchmarks; "" where it is all of it."""

    revision: str
    benchmark: str
    why: str


def about(store: HistoryStore, name: str) -> str:
    """What the store says of itself by this name; "" if nothing."""
    row = store.connection.execute("SELECT value FROM about WHERE name = ?", (name,)).fetchone()
    return row[0] if row else ""


def set_about(connection: sqlite3.Connection, name: str, value: str) -> None:
    """Say it, in place of what was said before."""
    connection.execute("INSERT OR REPLACE INTO about VALUES (?, ?)", (name, value))


def check_line(store: HistoryStore, line: str) -> None:
    """Raise UsageError where the store holds another line's history."""
    known = about(store, LINE)
    if known and known != line:
        raise UsageError(
            f"{store.path}: the history of {_words(known)}, not of {_words(line)}: name another --store"
        )


def _words(line: str) -> str:
    return f"the repository that begins with {line[:12]}" if len(line) == 40 else line  # noqa: PLR2004  # a commit


def environment_id(connection: sqlite3.Connection, facts: Mapping[str, str]) -> int:
    """The number of an environment, new or known."""
    text = json.dumps(facts, sort_keys=True)
    connection.execute("INSERT OR IGNORE INTO environment (facts) VALUES (?)", (text,))
    return _one(connection, "SELECT id FROM environment WHERE facts = ?", text)


def revision_id(connection: sqlite3.Connection, revision: Revision) -> int:
    """The number of a revision, new or known; its label and position are as last told."""
    connection.execute(
        "INSERT INTO revision (name, label, position, date, summary) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (name) DO UPDATE SET label = excluded.label, position = excluded.position",
        (revision.name, revision.label, revision.position, revision.date, revision.summary),
    )
    return _one(connection, "SELECT id FROM revision WHERE name = ?", revision.name)


def make_anchor(connection: sqlite3.Connection, revision: int) -> None:
    """From now on others are measured against this revision."""
    connection.execute("UPDATE revision SET anchor = 1 WHERE id = ?", (revision,))


def anchors(store: HistoryStore) -> list[int]:
    """The revisions that others are measured against, in the order of the line."""
    rows = store.connection.execute("SELECT id FROM revision WHERE anchor ORDER BY position, name")
    return [number for (number,) in rows]


def benchmark_id(connection: sqlite3.Connection, cell: Cell) -> int:
    """The number of a benchmark, new or known."""
    connection.execute(
        "INSERT OR IGNORE INTO benchmark (name, cell) VALUES (?, ?)",
        (cell.name, json.dumps(cell.to_plain(), sort_keys=True)),
    )
    return _one(connection, "SELECT id FROM benchmark WHERE name = ?", cell.name)


def add_counts(
    connection: sqlite3.Connection, environment: int, revision: int, counts: Mapping[Cell, Counts]
) -> None:
    """What a revision's tasks do, in place of what was known."""
    connection.executemany(
        "INSERT OR REPLACE INTO counted VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                benchmark_id(connection, cell),
                environment,
                revision,
                *(getattr(found, name) for name in COUNTED),
            )
            for cell, found in counts.items()
        ],
    )


def add_pairs(connection: sqlite3.Connection, compared: Compared, cell: Cell, pairs: Iterable[Pair]) -> None:
    """More pairs of a benchmark, after those there are."""
    key = (benchmark_id(connection, cell), *compared)
    last = _one(
        connection,
        "SELECT coalesce(max(number), -1) FROM pair"
        " WHERE (benchmark, environment, base, head) = (?, ?, ?, ?)",
        *key,
    )
    connection.executemany(
        "INSERT INTO pair VALUES (?, ?, ?, ?, ?, ?, ?)",
        [(*key, last + 1 + number, one.base, one.head) for number, one in enumerate(pairs)],
    )


def add_gap(
    connection: sqlite3.Connection, environment: int, revision: int, why: str, cell: Cell | None = None
) -> None:
    """A revision, or a benchmark of it, that could not be measured here."""
    benchmark = ALL if cell is None else benchmark_id(connection, cell)
    connection.execute(
        "INSERT OR REPLACE INTO gap VALUES (?, ?, ?, ?)", (revision, environment, benchmark, why)
    )


def taken(store: HistoryStore, head: int) -> dict[tuple[int, int, str], int]:
    """How many pairs a revision has, by environment, base and benchmark."""
    rows = store.connection.execute(
        "SELECT p.environment, p.base, b.name, count(*) FROM benchmark b JOIN pair p ON p.benchmark = b.id"
        " WHERE p.head = ? GROUP BY 1, 2, 3",
        (head,),
    )
    return {(environment, base, name): count for environment, base, name, count in rows}


def add_settled(
    connection: sqlite3.Connection, compared: Compared, cell: Cell, verdict: Verdict, found: Interval
) -> None:
    """What a gate between two revisions said, in place of what one said before."""
    connection.execute(
        "INSERT OR REPLACE INTO settled VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            benchmark_id(connection, cell),
            *compared,
            verdict.value,
            *(found.ratio, found.low, found.high, found.pairs),
        ),
    )


def revisions(store: HistoryStore) -> dict[int, Revision]:
    """All revisions by their number, in the order of the line."""
    rows = store.connection.execute(
        "SELECT id, position, name, label, date, summary FROM revision ORDER BY position, name"
    )
    return {number: Revision(*rest) for number, *rest in rows}


def environments(store: HistoryStore) -> dict[int, dict[str, str]]:
    """All environments by their number, in the order they were first met."""
    rows = store.connection.execute("SELECT id, facts FROM environment ORDER BY id")
    return {number: json.loads(facts) for number, facts in rows}


def benchmarks(store: HistoryStore) -> dict[int, Cell]:
    """All benchmarks by their number, in the order they were first met."""
    rows = store.connection.execute("SELECT id, cell FROM benchmark ORDER BY id")
    return {number: Cell.from_plain(json.loads(cell)) for number, cell in rows}


def gaps(store: HistoryStore) -> list[Gap]:
    """What could not be measured, in the order of the line, each reason once."""
    rows = store.connection.execute(
        "SELECT DISTINCT r.name, coalesce(b.name, ''), g.why FROM gap g JOIN revision r ON r.id = g.revision"
        " LEFT JOIN benchmark b ON b.id = g.benchmark ORDER BY r.position, r.name, b.id"
    )
    return [Gap(*row) for row in rows]


def gap_of(store: HistoryStore, environment: int, revision: int) -> str:
    """Why a revision could not be measured here; "" if it could, or was not tried."""
    row = store.connection.execute(
        "SELECT why FROM gap WHERE (revision, environment, benchmark) = (?, ?, ?)",
        (revision, environment, ALL),
    ).fetchone()
    return row[0] if row else ""


def forget_gaps(connection: sqlite3.Connection, environment: int) -> None:
    """What could not be measured or settled here is tried again."""
    connection.execute("DELETE FROM gap WHERE environment = ?", (environment,))
    connection.execute(
        "DELETE FROM settled WHERE environment = ? AND verdict = ?", (environment, Verdict.INCONCLUSIVE.value)
    )


def has_counts(
    store: HistoryStore, revision: int, names: Iterable[str], environment: int | None = None
) -> bool:
    """Whether all these benchmarks were counted, or cannot be; in one environment, or in any."""
    known = {
        name
        for (name,) in store.connection.execute(
            "SELECT b.name FROM benchmark b JOIN counted c ON c.benchmark = b.id"
            " WHERE c.revision = :revision AND (:here IS NULL OR c.environment = :here)"
            " UNION SELECT b.name FROM benchmark b JOIN gap g ON g.benchmark = b.id"
            " WHERE g.revision = :revision AND (:here IS NULL OR g.environment = :here)",
            {"revision": revision, "here": environment},
        )
    }
    return known.issuperset(names)


def revision_called(store: HistoryStore, name: str) -> tuple[int, Revision]:
    """The revision of this name: a commit or the beginning of one, a tag, a subject. Raises UsageError."""
    known = revisions(store)
    exact = [item for item in known.items() if name in (item[1].name, item[1].label)]
    least = 4
    found = exact or [item for item in known.items() if len(name) >= least and item[1].name.startswith(name)]
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(f"{name}: names {len(found)} revisions of {store.path}: write more of it")
    raise unknown(f"revision in {store.path}", name, [one.label or one.name for one in known.values()][-20:])


def _one(connection: sqlite3.Connection, query: str, *values: object) -> int:
    (found,) = connection.execute(query, values).fetchone()
    return int(found)
