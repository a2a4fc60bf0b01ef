"""Measures a line: each revision is built once, counted, and timed in pairs with its anchors.

Each round is kept as it ends, so that whatever ends the command, the same one goes on. What cannot be
measured is a gap with its reason, and is not tried again unless that is asked for.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import TYPE_CHECKING

from qcaps.errors import UsageError
from qcaps.history import plan, records
from qcaps.history.records import Compared
from qcaps.measure.gate import checkout, decision, revisions
from qcaps.measure.gate.arms import Arm, ArmError, MismatchError
from qcaps.measure.gate.pair_store import PairStore
from qcaps.measure.gate.relay import Relay
from qcaps.measure.gate.rounds import take_round

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from qcaps.history.records import Revision
    from qcaps.history.store import HistoryStore
    from qcaps.measure.cell import Cell
    from qcaps.measure.gate.rounds import Bench
    from qcaps.measure.gate.series import Pair
    from qcaps.measure.subject import Counts


CANNOT = (ArmError, MismatchError, UsageError)
"""What makes a revision a gap: it does not build, is not there, crashes, or is another kind of thing."""


@dataclass(frozen=True)
class Target:
    """A revision, and how it is had: a commit to build, or a subject that is there."""

    revision: Revision
    source: revisions.ArmSource


@dataclass(kw_only=True)
class HistorySession:
    """What one command measures with; `arms` are those that are ready, by the name of their revision."""

    store: HistoryStore
    bench: Bench
    environment: int
    repository: Path
    builds: Path
    say: Callable[[str], None]
    on_progress: Callable[[str], None]
    pairs: int = 8
    end: float = float("inf")
    counts_only: bool = False
    noisy: str = ""
    arms: dict[str, Arm] = field(default_factory=dict)
    calls: dict[Cell, int] = field(default_factory=dict)
    made: int = 0

    @property
    def cells(self) -> tuple[Cell, ...]:
        """What is measured of each revision."""
        return tuple(self.bench.sources)

    @property
    def stopped(self) -> bool:
        """Whether the time is up."""
        return monotonic() >= self.end

    def arm(self, target: Target) -> Arm:
        """The arm of a revision, in a folder of its own like any other's. Raises ArmError."""
        name = target.revision.name
        if name not in self.arms:
            made = revisions.arm_from(target.source, self.repository, self.builds, self.say)
            self.made += 1
            self.arms[name] = revisions.alike(made, self.bench.scratch / f"code-of-{self.made}")
        return self.arms[name]

    def let_go(self, target: Target) -> None:
        """The arm is not needed again: its place in memory may be."""
        if (arm := self.arms.pop(target.revision.name, None)) is not None:
            shutil.rmtree(arm.path, ignore_errors=True)


def measure(
    session: HistorySession,
    targets: Sequence[Target],
    known: Mapping[str, Target],
    releases: Iterable[str],
) -> None:
    """Bring the store up to date with the targets, oldest first.

    `known` holds targets of the store besides, for anchors and for what two environments must have in common.
    """
    session.noisy, every = "", {**known, **{one.revision.name: one for one in targets}}
    stored = records.revisions(session.store)
    again = {
        stored[number].name for number in plan.overlapping(session.store, session.environment, session.pairs)
    }
    chosen = {one.revision.name: one for one in targets} | {n: every[n] for n in again if n in every}
    for target in sorted(chosen.values(), key=lambda one: one.revision):
        if session.stopped:
            return
        _measure_one(session, target, every, set(releases), here_too=target.revision.name in again)


def _measure_one(
    session: HistorySession,
    target: Target,
    every: Mapping[str, Target],
    releases: set[str],
    *,
    here_too: bool,
) -> None:
    store, revision = session.store, target.revision
    with store.transaction() as connection:
        head = records.revision_id(connection, revision)
    numbers = {one: number for number, one in records.revisions(store).items()}
    by_name = {one.name: one for one in numbers}
    anchors = [one for one in numbers if numbers[one] in set(records.anchors(store))]
    if records.gap_of(store, session.environment, head):
        return
    own = by_name[revision.name]
    bases = [one for one in plan.bases_of(own, anchors) if one.name in every]
    names = [cell.name for cell in session.cells]
    missing = {
        base: plan.wanted(
            store, Compared(session.environment, numbers[base], head), names, session.pairs, here_too=here_too
        )
        for base in bases
    }
    counted = records.has_counts(store, head, names, session.environment if here_too else None)
    if counted and (session.counts_only or not any(missing.values())):
        _keep_anchor(session, own, head, anchors, releases)
        return
    try:
        arm = session.arm(target)
        _against(session, target, arm, head, [(every[b.name], numbers[b], missing[b]) for b in bases])
    except CANNOT as error:  # of a store that was merged, another clone may have the commit
        last = error.lines[-1:] if isinstance(error, checkout.BuildError) else ()
        why = str(error).removeprefix(f"--head-rev {revision.name}: ")
        _gap(session, head, revision, ": ".join((why, *last)))
    else:
        _keep_anchor(session, own, head, anchors, releases)
    if not plan.becomes_anchor(own, anchors, releases):
        session.let_go(target)


def _against(
    session: HistorySession,
    target: Target,
    arm: Arm,
    head: int,
    bases: Sequence[tuple[Target, int, dict[str, int]]],
) -> None:
    """Counts, and pairs with each base. Raises ArmError if nothing of the revision can be measured."""
    refused: dict[Cell, str] = {}
    counted: set[Cell] = set()
    for base, number, missing in bases or [(target, head, {})]:
        try:
            base_arm = session.arm(base)
        except CANNOT as error:  # not this revision's fault: the other anchor may do
            session.say(f"{base.revision}: no anchor here: {error}")
            continue
        arms = replace(base_arm, name="base"), replace(arm, name="head")
        counts, refusals = counts_of(session, arms)
        refused |= refusals
        counted |= counts.keys()
        with session.store.transaction() as connection:
            records.add_counts(
                connection,
                session.environment,
                head,
                {cell: of_head for cell, (_, of_head) in counts.items()},
            )
        wanted = {cell: missing[cell.name] for cell in counts if cell.name in missing}
        if wanted and not session.counts_only and not is_noisy(session, arms[0]):
            compared = Compared(session.environment, number, head)
            for pairs in rounds(session, arms, wanted):
                with session.store.transaction() as connection:
                    for cell, some in pairs.items():
                        records.add_pairs(connection, compared, cell, some)
    left = {cell: why for cell, why in refused.items() if cell not in counted}
    if not counted:
        raise ArmError(next(iter(left.values()), "none of its anchors can be measured here"))
    with session.store.transaction() as connection:
        for cell, why in left.items():
            records.add_gap(connection, session.environment, head, why, cell)


def counts_of(
    session: HistorySession, arms: tuple[Arm, Arm]
) -> tuple[dict[Cell, tuple[Counts, Counts]], dict[Cell, str]]:
    """Counts of what both can do, and why the rest cannot be done."""
    outcome, refused = decision.GateOutcome(), {}
    try:
        decision.check_counts(session.bench, arms, session.cells, outcome)
    except CANNOT:
        for cell in session.cells:
            if cell not in outcome.counts:
                try:
                    decision.check_counts(session.bench, arms, (cell,), outcome)
                except CANNOT as error:
                    refused[cell] = str(error)
    session.bench.calls.update(session.calls)
    return outcome.counts, refused


def is_noisy(session: HistorySession, base: Arm) -> bool:
    """Whether this host can judge, asked once a session; how its pairs scatter sets the calls a block."""
    if not session.calls:
        cells = tuple(cell for cell in session.cells if cell in session.bench.calls)
        session.on_progress("base against itself")
        session.noisy = decision.check_host(
            session.bench, base, cells, PairStore(None), lambda _progress: None
        )
        session.calls = dict(session.bench.calls)
    return bool(session.noisy)


def rounds(
    session: HistorySession, arms: tuple[Arm, Arm], wanted: Mapping[Cell, int]
) -> Iterator[dict[Cell, list[Pair]]]:
    """The pairs of one round after another, of all cells that need one more."""
    left = dict(wanted)
    with Relay(session.bench, arms) as relay:
        while (cells := [cell for cell, count in left.items() if count > 0]) and not session.stopped:
            session.bench.draw.shuffle(cells)
            taken = PairStore(None)
            for sides in take_round(session.bench, relay, cells, taken.taken):
                taken.add(sides)
                left[sides[0].cell] -= 1
            yield taken.pairs
            session.on_progress(arms[1].version)


def _keep_anchor(
    session: HistorySession, own: Revision, head: int, anchors: Sequence[Revision], releases: set[str]
) -> None:
    if own not in anchors and plan.becomes_anchor(own, anchors, releases):
        with session.store.transaction() as connection:
            records.make_anchor(connection, head)


def _gap(session: HistorySession, head: int, revision: Revision, why: str) -> None:
    session.say(f"{revision}: a gap: {why}")
    with session.store.transaction() as connection:
        records.add_gap(connection, session.environment, head, why)
