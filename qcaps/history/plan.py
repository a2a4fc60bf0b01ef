"""What to measure next: which revisions are anchors, against which two of them each is measured, where anew.

Two anchors are alive at any place of the line, so that one that turns out odd or no longer builds is not all
there is, and so that the chain from an anchor to the next is made by every revision that was measured against
both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcaps.history import records

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from qcaps.history.records import Revision
    from qcaps.history.store import HistoryStore

LIVE = 2
OVERLAP = 5
"""Revisions that two environments must have in common before what one found goes on in the other."""


def bases_of(revision: Revision, anchors: Sequence[Revision]) -> tuple[Revision, ...]:
    """The anchors that a revision is measured against: the latest before it; the first, if all come later."""
    others = [one for one in sorted(anchors) if one != revision]
    before = [one for one in others if one < revision]
    return tuple(before[-LIVE:]) if before or revision in anchors else tuple(others[:LIVE])


def becomes_anchor(revision: Revision, anchors: Sequence[Revision], releases: Iterable[str]) -> bool:
    """Whether later ones are measured against it: the first two are, and each release."""
    return revision in anchors or len(anchors) < LIVE or revision.name in releases


def overlapping(store: HistoryStore, environment: int, pairs: int) -> list[int]:
    """Revisions to measure here though they were measured elsewhere, the newest first: enough to go on.

    As many more as are missing of OVERLAP that this environment has in common with others; more of them than
    are missing, since one may no longer build.
    """
    rows = store.connection.execute(
        "SELECT head, max(environment = ?), max(environment != ?) FROM (SELECT head, environment FROM pair"
        " GROUP BY benchmark, environment, base, head HAVING count(*) >= ?)"
        " JOIN revision r ON r.id = head GROUP BY head ORDER BY r.position DESC",
        (environment, environment, pairs),
    ).fetchall()
    common = sum(1 for _, here, elsewhere in rows if here and elsewhere)
    known_here = {head for head, here, _ in rows if here}
    gone = {
        number
        for (number,) in store.connection.execute(
            "SELECT revision FROM gap WHERE environment = ? AND benchmark = 0", (environment,)
        )
    }
    missing = max(OVERLAP - common, 0)
    return [head for head, _, elsewhere in rows if elsewhere and head not in known_here | gone][:missing]


def wanted(
    store: HistoryStore,
    compared: records.Compared,
    names: Iterable[str],
    pairs: int,
    *,
    here_too: bool,
) -> dict[str, int]:
    """How many pairs each benchmark still needs of a revision with a base.

    What another environment measured is measured, unless it is wanted `here_too`.
    """
    found: Mapping[tuple[int, int, str], int] = records.taken(store, compared.head)
    missing = {}
    for name in names:
        counts = {e: count for (e, base, one), count in found.items() if (base, one) == (compared.base, name)}
        here = counts.get(compared.environment, 0)
        if here < pairs and (here_too or max(counts.values(), default=0) < pairs):
            missing[name] = pairs - here
    return missing
