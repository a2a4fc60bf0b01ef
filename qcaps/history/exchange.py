"""Pairs as pyperf suites, in and out: `base.json` and `head.json`, as a gate writes them."""

from __future__ import annotations

import json
import platform
from typing import TYPE_CHECKING, Any

from qcaps.errors import UsageError
from qcaps.history import records
from qcaps.history.records import Compared, Revision
from qcaps.measure.gate import pair_store, stored
from qcaps.measure.results.results_file import Measured, Results, Run

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from qcaps.history.store import HistoryStore
    from qcaps.measure.results.results_file import Metadata
    from qcaps.measure.subject import Counts

_ENVIRONMENT = ("hostname", "cpu_model_name", "platform", "python_version", "python_build", "host_qemu")
_REVISION = ("position", "name", "label", "date", "summary")
_SESSION = "gate_session"
_LINE = "history_line"


def environment_of(facts: Mapping[str, Any]) -> dict[str, str]:
    """Machine, kernel, interpreter and QEMU, of what is recorded with a run."""
    return {name: str(facts[name]) for name in _ENVIRONMENT if facts.get(name)}


def take_in(
    store: HistoryStore,
    base: Path,
    head: Path,
    revision_of: Callable[[str], Revision],
    line_of: Callable[[], str],
) -> tuple[Revision, Revision, int]:
    """Take the pairs of two files that were measured together; both revisions, how many pairs were new.

    `revision_of` finds the revision that a file of a gate calls so, and `line_of` says whose history that is.
    Raises UsageError for files that hold no pairs: times that were stored drift with their machine, and a
    history is made of ratios.
    """
    one, other = stored.read(base), stored.read(head)
    if not stored.measured_together(one, other) or not pair_store.paired(one, other):
        raise UsageError(
            f"{base}, {head}: no pairs: give base.json and head.json of one 'qcaps gate', or of one"
            " 'qcaps history export'"
        )
    sides = _revision(one, revision_of), _revision(other, revision_of)
    line = str(other.measured[0].runs[0].facts.get(_LINE, "")) or line_of()
    records.check_line(store, line)
    new = 0
    with store.transaction() as connection:
        records.set_about(connection, records.LINE, line)
        base_id, head_id = (records.revision_id(connection, revision) for revision in sides)
        records.make_anchor(connection, base_id)
        facts = environment_of(other.measured[0].runs[0].facts)
        compared = Compared(records.environment_id(connection, facts), base_id, head_id)
        for number, results in ((base_id, one), (head_id, other)):
            counts = {m.cell: m.counts for m in results.measured}
            records.add_counts(connection, compared.environment, number, counts)
        for cell, pairs in pair_store.paired(one, other).items():
            known = set(
                connection.execute(
                    "SELECT base_seconds, head_seconds FROM pair"
                    " WHERE (benchmark, environment, base, head) = (?, ?, ?, ?)",
                    (records.benchmark_id(connection, cell), *compared),
                )
            )
            fresh = [pair for pair in pairs if (pair.base, pair.head) not in known]
            records.add_pairs(connection, compared, cell, fresh)
            new += len(fresh)
    return (*sides, new)


def give_out(
    store: HistoryStore, revision: str, base: str = "", environment: int = 0
) -> tuple[Results, Results]:
    """The pairs of a revision with its base in one environment, as two files' contents.

    "" and 0 are those with most pairs: pyperf has times of one interpreter in a file. Raises UsageError where
    there are none.
    """
    head_number, head = records.revision_called(store, revision)
    wanted = records.revision_called(store, base)[0] if base else 0
    found = store.connection.execute(
        "SELECT base, environment FROM pair WHERE head = :head AND :base IN (base, 0)"
        " AND :environment IN (environment, 0) GROUP BY 1, 2 ORDER BY count(*) DESC, environment",
        {"head": head_number, "base": wanted, "environment": environment},
    ).fetchone()
    if found is None:
        raise UsageError(f"{store.path}: no such pairs of {revision}")
    known, cells = records.revisions(store), records.benchmarks(store)
    rows = store.connection.execute(
        "SELECT benchmark, base_seconds, head_seconds FROM pair WHERE (base, environment, head) = (?, ?, ?)"
        " ORDER BY benchmark, number",
        (*found, head_number),
    ).fetchall()
    shared = {
        **records.environments(store)[found[1]],
        _LINE: records.about(store, records.LINE),
        _SESSION: f"history {head.name}",
    }
    sides: tuple[list[Measured], list[Measured]] = ([], [])
    for benchmark in dict.fromkeys(row[0] for row in rows):
        own = [row[1:] for row in rows if row[0] == benchmark]
        for side, (arm, number) in enumerate((("base", found[0]), ("head", head_number))):
            facts = {**shared, **_facts(known[number], arm)}
            runs = tuple(Run(at, ((seconds[side],),), (), facts) for at, seconds in enumerate(own))
            sides[side].append(Measured(cells[benchmark], _counts(store, benchmark, number), runs))
    return Results(tuple(sides[0])), Results(tuple(sides[1]))


def _facts(one: Revision, arm: str) -> Metadata:
    return {
        "arm": arm,
        "arm_version": f"{one} {one.name[:12]}",
        "history_revision": json.dumps([getattr(one, name) for name in _REVISION]),
    }


def _counts(store: HistoryStore, benchmark: int, revision: int) -> Counts:
    from qcaps.measure.subject import Counts

    row = store.connection.execute(
        "SELECT devices, lookups, validations, forks, probes FROM counted"
        " WHERE benchmark = ? AND revision = ? ORDER BY environment DESC",
        (benchmark, revision),
    ).fetchone()
    return Counts(*(row or (0,) * 5))


def _revision(results: Results, revision_of: Callable[[str], Revision]) -> Revision:
    facts = results.measured[0].runs[0].facts
    if "history_revision" in facts:
        return Revision(*json.loads(str(facts["history_revision"])))
    return revision_of(str(facts.get("arm_version", "")))


def this_environment(facts: Mapping[str, Any], machine: str = "", qemu: str = "") -> dict[str, str]:
    """Where we are; `machine` in place of the host's name, `qemu` where one takes part."""
    here = {**facts, "hostname": machine or platform.node(), "host_qemu": qemu}
    return environment_of(here)
