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


def environment_of(facts: Mapping[str, Any]) -> dict[str, str]:
    """Machine, kernel, interpreter and QEMU, of what is recorded with a run."""
    return {name: str(facts[name]) for name in _ENVIRONMENT if facts.get(name)}


def take_in(
    store: HistoryStore, base: Path, head: Path, revision_of: Callable[[str], Revision]
) -> tuple[Revision, Revision, int]:
    """Take the pairs of two files that were measured together; both revisions, how many pairs were new.

    `revision_of` finds the revision that a file of a gate calls so. Raises UsageError for files that hold no
    pairs: times that were stored drift with their machine, and a history is made of ratios.
    """
    one, other = stored.read(base), stored.read(head)
    pairs = pair_store.paired(one, other) if stored.measured_together(one, other) else {}
    if not pairs:
        raise UsageError(
            f"{base}, {head}: no pairs: give base.json and head.json of one 'qcaps gate', or of one"
            " 'qcaps history export'"
        )
    sides = _revision(one, revision_of), _revision(other, revision_of)
    facts = other.measured[0].runs[0].facts
    with store.transaction() as connection:
        environment = records.environment_id(connection, environment_of(facts))
        base_id, head_id = (records.revision_id(connection, revision) for revision in sides)
        records.make_anchor(connection, base_id)
        compared = Compared(environment, base_id, head_id)
        for number, results in ((base_id, one), (head_id, other)):
            records.add_counts(connection, environment, number, {m.cell: m.counts for m in results.measured})
        new = 0
        for cell, some in pairs.items():
            benchmark = records.benchmark_id(connection, cell)
            known = set(
                connection.execute(
                    "SELECT base_seconds, head_seconds FROM pair"
                    " WHERE (benchmark, environment, base, head) = (?, ?, ?, ?)",
                    (benchmark, *compared),
                )
            )
            fresh = [pair for pair in some if tuple(pair) not in known]
            records.add_pairs(connection, compared, cell, fresh)
            new += len(fresh)
    return (*sides, new)


def give_out(store: HistoryStore, revision: str, base: str = "") -> tuple[Results, Results]:
    """The pairs of a revision with its base ("": the one with most pairs), as two files' contents.

    Raises UsageError where there are none.
    """
    head_number, head = records.revision_called(store, revision)
    bases = [
        number
        for (number,) in store.connection.execute(
            "SELECT base FROM pair WHERE head = ? GROUP BY base ORDER BY count(*) DESC", (head_number,)
        )
    ]
    known = records.revisions(store)
    base_number = records.revision_called(store, base)[0] if base else (bases or [0])[0]
    if base_number not in bases:
        raise UsageError(f"{store.path}: no pairs of {revision}" + (f" with {base}" if base else ""))
    sides: tuple[list[Measured], list[Measured]] = ([], [])
    cells, places = records.benchmarks(store), records.environments(store)
    rows = store.connection.execute(
        "SELECT benchmark, environment, base_seconds, head_seconds FROM pair WHERE base = ? AND head = ?"
        " ORDER BY benchmark, environment, number",
        (base_number, head_number),
    ).fetchall()
    for benchmark in dict.fromkeys(row[0] for row in rows):
        own = [row for row in rows if row[0] == benchmark]
        for side, (arm, number) in enumerate((("base", base_number), ("head", head_number))):
            one = known[number]
            runs = tuple(
                Run(at, ((row[2 + side],),), (), _facts(one, arm, places[row[1]], head))
                for at, row in enumerate(own)
            )
            cell = cells[benchmark]
            sides[side].append(Measured(cell, _counts(store, benchmark, number), runs))
    return Results(tuple(sides[0])), Results(tuple(sides[1]))


def _facts(one: Revision, arm: str, environment: Mapping[str, str], head: Revision) -> Metadata:
    return {
        **environment,
        "arm": arm,
        "arm_version": f"{one} {one.name[:12]}",
        "history_revision": json.dumps([getattr(one, name) for name in _REVISION]),
        _SESSION: f"history {head.name}",
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
