"""The store of a history: one SQLite file, written by one process at a time, read by any.

SQLite, for what is added is a few rows after each round, and none may be lost: a transaction is there or it
is not, whatever ends its writer, and readers go on meanwhile (the write-ahead log). Parquet is rewritten as a
whole, and DuckDB lets no reader in beside a writer; both would be one more thing to install, and what is
asked here, the pairs of a benchmark in order, is a walk along the key.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from qcaps.errors import QcapsError, UsageError
from qcaps.files import BusyError, held_file
from qcaps.history.place import check_local
from qcaps.history.schema import APPLICATION, SCHEMA, STEPS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PATIENCE_SECONDS = 10.0
_HEADER = 100
_MAGIC = b"SQLite format 3\0"


@dataclass(frozen=True)
class HistoryStore:
    """A store that is open."""

    path: Path
    connection: sqlite3.Connection

    @contextmanager
    def transaction(self, *, keep: bool = True) -> Iterator[sqlite3.Connection]:
        """What is written within is kept as a whole, once the block ends well, or not at all.

        Not at all, too, where `keep` is off: what would come of it is seen within.
        """
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield self.connection
        except BaseException:
            with suppress(sqlite3.Error):
                self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT" if keep else "ROLLBACK")


@contextmanager
def writing(path: Path) -> Iterator[HistoryStore]:
    """The store, made if there is none, for this process alone to write. Raises QcapsError."""
    check_local(path)
    if path.exists() and not os.access(path, os.W_OK):
        raise QcapsError(f"{path}: is read-only: it cannot be written to")
    with held_file(path), _said(path):
        _check_whole(path)
        connection = _connected(path, "rwc")
        try:
            _bring_up_to_date(path, connection)
            yield HistoryStore(path, connection)
        finally:
            connection.close()


@contextmanager
def reading(path: Path) -> Iterator[HistoryStore]:
    """The store as it is at this moment, whoever writes. Raises QcapsError; UsageError if there is none."""
    if not path.exists():
        raise UsageError(f"{path}: no such store: 'qcaps history' makes one, --store names another")
    check_local(path)
    with _said(path):
        _check_whole(path)
        connection = _connected(path, "ro")
        try:
            if _version(path, connection) < SCHEMA:
                connection.close()
                if not os.access(path, os.W_OK):
                    raise QcapsError(
                        f"{path}: of an older schema, and read-only: copy it to where it may grow"
                    )
                with writing(path):
                    pass
                connection = _connected(path, "ro")
            connection.execute("BEGIN")  # one state of the file for all that is asked
            yield HistoryStore(path, connection)
        finally:
            connection.close()


def location(path: Path, mode: str) -> str:
    """The file as SQLite is told of it: `ro`, `rw` or `rwc`."""
    # Where no log can be made, there is none to read: nobody writes there.
    fixed = "&immutable=1" if mode == "ro" and not _may_have_log(path) else ""
    return f"file:{quote(str(path.absolute()))}?mode={mode}{fixed}"


def _may_have_log(path: Path) -> bool:
    log = path.with_name(f"{path.name}-wal")
    return os.access(path.absolute().parent, os.W_OK) or (log.exists() and log.stat().st_size > 0)


def _connected(path: Path, mode: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        location(path, mode), uri=True, timeout=_PATIENCE_SECONDS, isolation_level=None
    )
    if mode != "ro":
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
    return connection


def _version(path: Path, connection: sqlite3.Connection) -> int:
    """The schema of the file; 0 of a new one. Raises QcapsError for one that is not ours, or newer."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if tables and application != APPLICATION:
        raise QcapsError(f"{path}: a database, and none of 'qcaps history': name another --store")
    if version > SCHEMA:
        raise QcapsError(
            f"{path}: written by a newer qcaps (schema {version}, this one knows {SCHEMA}): update qcaps"
        )
    return int(version)


def _bring_up_to_date(path: Path, connection: sqlite3.Connection) -> None:
    for number in range(_version(path, connection), SCHEMA):
        # One transaction a step: a migration that is killed leaves the schema before or after it.
        connection.executescript(
            f"BEGIN IMMEDIATE; {STEPS[number]}; PRAGMA application_id = {APPLICATION};"
            f" PRAGMA user_version = {number + 1}; COMMIT;"
        )


def _check_whole(path: Path) -> None:
    """Raise QcapsError for a file that is no database, or shorter than its own header says."""
    if path.exists() and not path.is_file():
        raise UsageError(f"{path}: no file: name another --store")
    if not path.exists() or path.stat().st_size == 0:
        return
    with path.open("rb") as file:
        header = file.read(_HEADER)
    if not header.startswith(_MAGIC):
        raise QcapsError(f"{path}: not a store of 'qcaps history': name another --store")
    size, pages = int.from_bytes(header[16:18]), int.from_bytes(header[28:32])
    size = 65536 if size == 1 else size
    if len(header) < _HEADER or path.stat().st_size < size * pages:
        raise QcapsError(
            f"{path}: truncated: {path.stat().st_size} bytes of {size * pages}: take a copy, or measure again"
        )


@contextmanager
def _said(path: Path) -> Iterator[None]:
    """What SQLite complains of as one line about the file."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise BusyError(
                f"{path}: locked by another program for {_PATIENCE_SECONDS:g} s: wait for it"
            ) from None
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            raise QcapsError(f"{path}: damaged ({error}): take a copy, or measure again") from error
        if code == sqlite3.SQLITE_READONLY:
            raise QcapsError(f"{path}: is read-only: it cannot be written to") from error
        if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN):
            raise QcapsError(f"{path}: cannot be read or written: {error}") from error
        raise
