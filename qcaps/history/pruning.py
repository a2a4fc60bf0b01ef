"""What leaves a store, said before it is dropped and after."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from qcaps.history import records

if TYPE_CHECKING:
    from qcaps.history.store import HistoryStore


@dataclass(frozen=True, kw_only=True)
class Pruned:
    """What is dropped: pairs, counts and gaps, and what is named by nothing else then."""

    pairs: int
    counts: int
    gaps: int
    revisions: tuple[str, ...]
    benchmarks: tuple[str, ...]
    environments: int

    def to_plain(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)


def prune(
    store: HistoryStore,
    *,
    before: str = "",
    benchmark: str = "",
    environment: int = 0,
    rehearse: bool = False,
) -> Pruned:
    """Drop what lies before a revision and is of a benchmark (a pattern with `*`) and an environment.

    "" and 0 are any. Pairs go by their head: a revision that later ones are measured against stays as their
    base. Nothing is dropped where it is but rehearsed. Raises UsageError for a revision that is not there.
    """
    limit = records.revision_called(store, before)[1].position if before else None
    known = records.revisions(store), records.benchmarks(store)
    revision = "(SELECT id FROM revision WHERE :limit IS NULL OR position < :limit)"
    chosen = "(SELECT id FROM benchmark WHERE :benchmark = '' OR name GLOB :benchmark)"
    whole = f"benchmark IN {chosen} OR (benchmark = 0 AND :benchmark = '')"
    given = {"limit": limit, "benchmark": benchmark, "environment": environment}
    here = "(:environment = 0 OR environment = :environment)"
    with store.transaction(keep=not rehearse) as connection:
        dropped = [
            connection.execute(f"DELETE FROM {statement} AND {here}", given).rowcount  # noqa: S608  # ours
            for statement in (
                f"pair WHERE head IN {revision} AND benchmark IN {chosen}",
                f"counted WHERE revision IN {revision} AND benchmark IN {chosen}",
                f"gap WHERE revision IN {revision} AND ({whole})",
                f"settled WHERE after IN {revision} AND benchmark IN {chosen}",
                f"layout WHERE revision IN {revision} AND benchmark IN {chosen}",
            )
        ]
        connection.execute(
            "DELETE FROM revision WHERE id NOT IN (SELECT head FROM pair UNION SELECT base FROM pair"
            " UNION SELECT revision FROM counted UNION SELECT revision FROM gap"
            " UNION SELECT revision FROM layout"
            " UNION SELECT before FROM settled UNION SELECT after FROM settled)"
        )
        connection.execute(
            "DELETE FROM benchmark WHERE id NOT IN (SELECT benchmark FROM pair"
            " UNION SELECT benchmark FROM counted UNION SELECT benchmark FROM gap"
            " UNION SELECT benchmark FROM settled UNION SELECT benchmark FROM layout)"
        )
        environments = connection.execute(
            "DELETE FROM environment WHERE id NOT IN (SELECT environment FROM pair"
            " UNION SELECT environment FROM counted UNION SELECT environment FROM gap"
            " UNION SELECT environment FROM settled UNION SELECT environment FROM layout)"
        ).rowcount
        left = records.revisions(store), records.benchmarks(store)
        found = Pruned(
            pairs=dropped[0],
            counts=dropped[1],
            gaps=dropped[2],
            revisions=tuple(str(one) for number, one in known[0].items() if number not in left[0]),
            benchmarks=tuple(one.name for number, one in known[1].items() if number not in left[1]),
            environments=environments,
        )
    if not rehearse:
        store.connection.execute("VACUUM")
    return found
