"""What the layout of a build is worth: one commit built again and again, each time laid out otherwise.

Where the linker puts functions is one draw for a build of C, and moves its times whatever the code does; more
pairs never average that. The same commit is built at other paths, by a command that is told its number in
$QCAPS_LAYOUT, so that it may link in another order. What such builds scatter by is the least a change is.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from qcaps.history import levels, measuring, records
from qcaps.measure.gate.pair_store import PairStore

if TYPE_CHECKING:
    from qcaps.history.measuring import HistorySession, Target

NUMBER = "QCAPS_LAYOUT"


def measure(session: HistorySession, target: Target, times: int) -> None:
    """Build a commit `times` times, and time each build in pairs with the first; each is kept as it ends.

    Raises ArmError for one that does not build, or cannot be measured.
    """
    with session.store.transaction() as connection:
        revision = records.revision_id(connection, target.revision)
    known = {
        number
        for (number,) in session.store.connection.execute(
            "SELECT DISTINCT number FROM layout WHERE (revision, environment) = (?, ?)",
            (revision, session.environment),
        )
    }
    for number in range(1, times):
        if number in known or session.stopped:
            continue
        arms = (
            replace(session.arm(laid_out(target, 0)), name="base"),
            replace(session.arm(laid_out(target, number)), name="head"),
        )
        counts, _ = measuring.counts_of(session, arms)
        if measuring.is_noisy(session, arms[0]):
            return
        taken = PairStore(None)
        for pairs in measuring.rounds(session, arms, dict.fromkeys(counts, session.pairs)):
            for cell, some in pairs.items():
                taken.pairs.setdefault(cell, []).extend(some)
        with session.store.transaction() as connection:
            for cell, some in taken.pairs.items():
                rows = [(0, pair.head / pair.base) for pair in some]
                ((edge,),) = levels.edges(rows).values()
                connection.execute(
                    "INSERT OR REPLACE INTO layout VALUES (?, ?, ?, ?, ?, ?)",
                    (
                        records.benchmark_id(connection, cell),
                        *(session.environment, revision, number, edge.difference, edge.variance),
                    ),
                )
        session.let_go(laid_out(target, number))


def laid_out(target: Target, number: int) -> Target:
    """The target as its command builds it when it is told this number."""
    recipe = target.source.recipe
    if recipe is not None:
        recipe = replace(recipe, command=f"{NUMBER}={number}; export {NUMBER}; {recipe.command}")
    revision = replace(target.revision, name=f"{target.revision.name} layout {number}")
    return measuring.Target(revision, replace(target.source, recipe=recipe))
