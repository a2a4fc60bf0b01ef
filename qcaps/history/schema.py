"""The tables of a store, as the steps that led to them: a new store takes all, an old one those it lacks.

A step that was ever released is never changed; a change is one more step, and SCHEMA counts them.
"""

from __future__ import annotations

APPLICATION = 0x71636873
"""What `file` and we know a store by ("qchs"), in the header of the file."""

STEPS = (
    """
    CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    -- Where times were taken: facts as JSON, their keys sorted.
    CREATE TABLE environment (id INTEGER PRIMARY KEY, facts TEXT NOT NULL UNIQUE);
    -- What was measured: a full commit, or a subject. `position` orders the line.
    CREATE TABLE revision (
        id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, label TEXT NOT NULL, position INTEGER NOT NULL,
        date TEXT NOT NULL, summary TEXT NOT NULL
    );
    CREATE TABLE benchmark (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, cell TEXT NOT NULL);
    -- What one run of a task does.
    CREATE TABLE counted (
        benchmark INTEGER NOT NULL REFERENCES benchmark, environment INTEGER NOT NULL REFERENCES environment,
        revision INTEGER NOT NULL REFERENCES revision, devices INTEGER NOT NULL, lookups INTEGER NOT NULL,
        validations INTEGER NOT NULL, forks INTEGER NOT NULL, probes INTEGER NOT NULL,
        PRIMARY KEY (benchmark, environment, revision)
    ) WITHOUT ROWID;
    -- Seconds of a pair: base's block, and head's as their turns relate them.
    CREATE TABLE pair (
        benchmark INTEGER NOT NULL REFERENCES benchmark, environment INTEGER NOT NULL REFERENCES environment,
        base INTEGER NOT NULL REFERENCES revision, head INTEGER NOT NULL REFERENCES revision,
        number INTEGER NOT NULL, base_seconds REAL NOT NULL, head_seconds REAL NOT NULL,
        PRIMARY KEY (benchmark, environment, base, head, number)
    ) WITHOUT ROWID;
    -- Why a revision could not be measured; all of it where benchmark is 0.
    CREATE TABLE gap (
        revision INTEGER NOT NULL REFERENCES revision, environment INTEGER NOT NULL REFERENCES environment,
        benchmark INTEGER NOT NULL, why TEXT NOT NULL,
        PRIMARY KEY (revision, environment, benchmark)
    ) WITHOUT ROWID;
    """,
    """
    -- Whether others are measured against it. Bases of pairs of the first schema were anchors, all of them.
    ALTER TABLE revision ADD COLUMN anchor INTEGER NOT NULL DEFAULT 0;
    UPDATE revision SET anchor = 1 WHERE id IN (SELECT base FROM pair);
    -- What a gate between two revisions found of a suspected change: its verdict, and bounds as ratios.
    CREATE TABLE settled (
        benchmark INTEGER NOT NULL REFERENCES benchmark, environment INTEGER NOT NULL REFERENCES environment,
        before INTEGER NOT NULL REFERENCES revision, after INTEGER NOT NULL REFERENCES revision,
        verdict TEXT NOT NULL, ratio REAL NOT NULL, low REAL NOT NULL, high REAL NOT NULL,
        pairs INTEGER NOT NULL,
        PRIMARY KEY (benchmark, environment, before, after)
    ) WITHOUT ROWID;
    """,
    """
    -- One commit built again, laid out otherwise: ln of its time over the first build's, and its variance.
    CREATE TABLE layout (
        benchmark INTEGER NOT NULL REFERENCES benchmark, environment INTEGER NOT NULL REFERENCES environment,
        revision INTEGER NOT NULL REFERENCES revision, number INTEGER NOT NULL, difference REAL NOT NULL,
        variance REAL NOT NULL,
        PRIMARY KEY (benchmark, environment, revision, number)
    ) WITHOUT ROWID;
    """,
)
SCHEMA = len(STEPS)
