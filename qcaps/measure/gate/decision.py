"""The gate: counts first, then whether this host can judge, then pairs until every series has a verdict."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from qcaps.measure.gate import counting, pair_store, revisions
from qcaps.measure.gate.arms import Arm, MismatchError, RefusedError
from qcaps.measure.gate.relay import Relay, running
from qcaps.measure.gate.rounds import Bench, calls_for, calls_for_scatter, take_round
from qcaps.measure.gate.series import Series, all_series, point
from qcaps.measure.gate.verdict import (
    PREFLIGHT_PAIRS,
    Interval,
    Judgement,
    Margins,
    Verdict,
    doubtful,
    judge,
    noise,
    set_apart,
)
from qcaps.measure.results.answered import counts_of
from qcaps.measure.subject import is_libvirt

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from qcaps.measure.cell import Cell
    from qcaps.measure.gate.arms import ArmProcess
    from qcaps.measure.gate.benches import Benches
    from qcaps.measure.gate.counting import CountFault, Lookups
    from qcaps.measure.gate.doing import Doing
    from qcaps.measure.gate.margins import MarginTable
    from qcaps.measure.gate.pair_store import PairStore
    from qcaps.measure.subject import Counts
    from qcaps.measure.worker.running import Answer


_INPUT = {"capabilities", "qemu_version", "dropped_user"}
"""Facts of a cell that say what it works on."""


class Progress(NamedTuple):
    """Where a gate is: pairs taken, of how many wanted at the moment, what of, and the interval so far."""

    done: int
    wanted: int
    what: str
    interval: Interval | None = None


@dataclass(frozen=True)
class Judged:
    """What the gate says of one series. Seconds are medians of blocks; `counts` are head's, of a point."""

    series: Series
    margins: Margins
    judgement: Judgement
    base_seconds: float | None = None
    head_seconds: float | None = None

    @property
    def verdict(self) -> Verdict:
        """The verdict; INCONCLUSIVE where it was stopped before there was one."""
        return self.judgement.verdict or Verdict.INCONCLUSIVE


@dataclass
class GateOutcome:
    """All a gate found; filled as it goes, so that what was found before Ctrl-C can be reported.

    `refused` has the cells that were not counted: by arm, why.
    """

    counts: dict[Cell, tuple[Counts, Counts]] = field(default_factory=dict)
    laws: dict[Cell, tuple[int | None, int | None]] = field(default_factory=dict)
    faults: list[CountFault] = field(default_factory=list)
    better: list[CountFault] = field(default_factory=list)
    work: list[Doing] = field(default_factory=list)
    refused: dict[Cell, dict[str, str]] = field(default_factory=dict)
    noisy: str = ""
    judged: list[Judged] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    finished: bool = False

    @property
    def newly_refused(self) -> list[Cell]:
        """What head refuses, and base does."""
        return [cell for cell, why in self.refused.items() if tuple(why) == ("head",)]

    @property
    def is_worse(self) -> bool:
        """Whether head is known to be worse before any clock is read."""
        return bool(self.faults or self.newly_refused)

    def any(self, *verdicts: Verdict) -> bool:
        """Whether some series has one of the verdicts."""
        return any(one.verdict in verdicts for one in self.judged)


def exit_status(outcome: GateOutcome, *, strict: bool) -> int:
    """0 nothing is known to be worse, 1 a regression, 2 both refuse a domain, or nothing is left to compare,
    3 no time (`strict`: not each) could be judged.
    """
    if outcome.is_worse or outcome.any(Verdict.FAIL):
        return 1
    if any(len(why) > 1 for why in outcome.refused.values()) or (outcome.refused and not outcome.counts):
        return 2
    if outcome.noisy or outcome.any(Verdict.APART):
        return 3
    return 3 if strict and outcome.any(Verdict.INCONCLUSIVE) else 0


def check_counts(
    bench: Bench,
    arms: tuple[Arm, Arm],
    cells: Sequence[Cell],
    outcome: GateOutcome,
    *,
    leave_out: bool = False,
) -> None:
    """Count each cell's task once in each arm, compare, and note how many calls make a block.

    With `leave_out` a cell that an arm refuses is left out, and said to be (`GateOutcome.refused`), as are
    those that are in it before; else the first one raises RefusedError.
    Raises ArmError, and MismatchError for arms that do not work on the same.
    """
    with running(arms, bench.work, bench.chance(), bench.scratch) as processes:
        base, head = processes
        alike = is_libvirt(base.arm.subject) == is_libvirt(head.arm.subject)
        if base.python != head.python:
            raise MismatchError(
                f"base runs on Python {base.python}, head on {head.python}: times do not compare"
            )
        if base.build != head.build:
            raise MismatchError(
                f"base runs on a Python {base.python} that is built otherwise ({base.build}) than head's"
                f" ({head.build}): times do not compare"
            )
        for cell in cells:
            if cell in outcome.refused:
                continue
            answers, refused = _asked(bench, cell, processes)
            if refused:
                if not leave_out:
                    raise next(iter(refused.values()))
                own = {process.arm.name: f"{process.arm.own(cell).name}: " for process in processes}
                outcome.refused[cell] = {
                    arm: error.why.removeprefix(own[arm]) for arm, error in refused.items()
                }
                continue
            if alike:
                _same_input(cell, *answers)
            counts = (counts_of(answers[0]), counts_of(answers[1]))
            outcome.counts[cell] = counts
            bench.calls[cell] = calls_for(answers)
            bench.pauses[cell] = max(answer.ready["pause"] for answer in answers if answer.ready)
            releases = _release(answers[0]) != _release(answers[1])
            libvirts = is_libvirt(base.arm.own(cell).subject) or is_libvirt(head.arm.own(cell).subject)
            of_base, of_head = (
                _laws(process.arm.own(cell), answer)
                for process, answer in zip(processes, answers, strict=True)
            )
            outcome.laws[cell] = (of_base.lookups, of_head.lookups)
            found = list(counting.faults(cell, *counts, of_head, devices_may=libvirts or releases))
            if counts[0].devices != counts[1].devices and (libvirts or releases):
                outcome.notes.append(
                    f"{cell.name}: {counts[0].devices} devices in base, {counts[1].devices} in head: part of"
                    " a difference in time is theirs"
                )
            if any(one.what == "lookups" for one in found):
                base_names, head_names = (
                    _named(bench.run(cell, process, explain=True)) for process in processes
                )
                found = [_placed(one, base_names, head_names) for one in found]
            worse, better = counting.told_apart(found, fewer_is_better=libvirts)
            outcome.faults += worse
            outcome.better += better
            outcome.notes += [f"{one} (fewer is no fault)" for one in better]


def _asked(
    bench: Bench, cell: Cell, processes: Sequence[ArmProcess]
) -> tuple[list[Answer], dict[str, RefusedError]]:
    """What each process counts, and by arm why those refuse that do."""
    answers, refused = [], {}
    for process in processes:
        try:
            answers.append(bench.run(cell, process))
        except RefusedError as error:
            refused[process.arm.name] = error
    return answers, refused


def check_host(
    bench: Bench, base: Arm, cells: Sequence[Cell], store: PairStore, on_progress: Callable[[Progress], None]
) -> str:
    """Pairs of base with base over the cells in turn; why the host is too noisy, or "".

    As many as it takes to be in no doubt, up to the last of PREFLIGHT_PAIRS. How they scatter sets the calls
    a block.
    """

    def differences() -> list[float]:
        return [one for cell in cells for one in point(cell).differences(store.pairs)]

    again = revisions.alike(replace(base, name=f"{base.name} again"), bench.scratch / "code-of-again")
    with Relay(bench, (base, again)) as relay:
        for aim in PREFLIGHT_PAIRS:
            while (missing := aim - len(differences())) > 0:
                try:
                    for sides in take_round(bench, relay, cells[:missing], store.taken):
                        store.add(sides)
                        on_progress(Progress(len(differences()), aim, "base against itself"))
                finally:
                    store.save()
            if not (doubt := doubtful(differences(), Margins().delta)):
                break
    for cell in cells:
        bench.calls[cell] = calls_for_scatter(store.runs(cell))
    return noise(differences(), Margins().delta) if doubt else ""


def take_verdicts(
    benches: Benches, store: PairStore, outcome: GateOutcome, on_progress: Callable[[Progress], None]
) -> None:
    """Rounds over all cells that a verdict of `outcome` still needs, until there is each; rounds are kept.

    With several benches each takes rounds, up to one more a bench than the next look needs.
    """
    wanted: dict[Cell, int] = {}

    def missing(on: Mapping[Cell, int]) -> dict[Cell, int]:
        store.save()
        series = len(outcome.judged)
        outcome.judged = [_judged(one.series, one.margins, store, series) for one in outcome.judged]
        wanted.clear()
        wanted.update(_wanted(outcome.judged, store))
        lacking = {cell: count - store.taken(cell) - on.get(cell, 0) for cell, count in wanted.items()}
        cells = [cell for cell, count in lacking.items() if count + benches.width > 1]
        benches.draw.shuffle(cells)
        return {cell: max(lacking[cell], 1) for cell in cells}

    try:
        for sides in benches.take(missing, store):
            store.add(sides)
            on_progress(_progress(sides[0].cell, store, outcome.judged, wanted))
    finally:
        store.save()


def judge_all(outcome: GateOutcome, table: MarginTable, store: PairStore) -> list[Judged]:
    """All series of the cells that were counted, with the verdicts that the pairs there are allow."""
    unlike = [cell for cell, counts in outcome.counts.items() if not counting.alike(*counts)]
    series = all_series({cell: counts[1].devices for cell, counts in outcome.counts.items()}, unlike)
    return [_judged(one, table.of(one.name), store, len(series)) for one in series]


def host_notes(outcome: GateOutcome, store: PairStore) -> list[str]:
    """How many pairs are each host's, where there are several, and which host stands apart in what."""
    shares = Counter(pair.host for pairs in store.pairs.values() for pair in pairs)
    if len(shares) < 2:  # noqa: PLR2004  # several
        return []
    notes = ["pairs of each host: " + ", ".join(f"{host} {count}" for host, count in sorted(shares.items()))]
    for one in outcome.judged:
        differences, hosts = one.series.differences(store.pairs), one.series.hosts(store.pairs)
        for host, (ratio, pairs) in set_apart(differences, hosts, one.margins).items():
            notes.append(f"{one.series.name}: {100 * (ratio - 1):+.1f} % on {host} alone ({pairs} pairs)")
    return notes


def open_store(folder: Path, *, preflight: bool = False) -> PairStore:
    """The pairs a session has so far."""
    return pair_store.PairStore.from_folder(folder, f"{pair_store.PREFLIGHT}-" if preflight else "")


def _judged(series: Series, margins: Margins, store: PairStore, of: int) -> Judged:
    """What the pairs say of a series that is one `of` so many in its run."""
    judgement = judge(series.differences(store.pairs), margins, of, series.hosts(store.pairs))
    if len(series.cells) != 1:
        return Judged(series, margins, judgement)
    both = store.pairs.get(series.cells[0], [])
    if not both:
        return Judged(series, margins, judgement)
    return Judged(
        series, margins, judgement, median(one.base for one in both), median(one.head for one in both)
    )


def _wanted(judged: Sequence[Judged], store: PairStore) -> dict[Cell, int]:
    """Pairs wanted of each cell by the series that have no verdict yet."""
    wanted: dict[Cell, int] = {}
    for one in judged:
        if one.judgement.verdict is None:
            # With pairs of several hosts, a series may have fewer differences than each cell has pairs.
            spoilt = min(map(store.taken, one.series.cells)) - len(one.series.differences(store.pairs))
            for cell in one.series.cells:
                wanted[cell] = max(wanted.get(cell, 0), one.judgement.wanted + spoilt)
    return wanted


def _progress(cell: Cell, store: PairStore, judged: Sequence[Judged], wanted: dict[Cell, int]) -> Progress:
    done = sum(min(store.taken(one), count) for one, count in wanted.items())
    interval = next((one.judgement.interval for one in judged if one.series.cells == (cell,)), None)
    return Progress(done, sum(wanted.values()), cell.name, interval)


def _laws(cell: Cell, answer: Answer) -> counting.Laws:
    """What an arm does by its own law: a libvirt says it itself."""
    assert answer.ready is not None
    facts = answer.ready["facts"][0]
    if not is_libvirt(cell.subject):
        return counting.of_reference(cell, counts_of(answer), facts)
    return counting.Laws(facts.get("law"))


def _release(answer: Answer) -> object:
    """The release whose rules a reference followed; None for what is none, and before there was a choice."""
    assert answer.ready is not None
    return answer.ready["facts"][0].get("release")


def _same_input(cell: Cell, base: Answer, head: Answer) -> None:
    """What both arms work on must be the same, or a difference in time is one of input."""
    assert base.ready is not None
    assert head.ready is not None
    one, other = base.ready["facts"][0], head.ready["facts"][0]
    for name in sorted(one.keys() & other.keys() & _INPUT):
        if one[name] != other[name]:
            raise MismatchError(f"{cell.name}: {name} is {one[name]} in base, {other[name]} in head")


def _named(answer: Answer) -> Lookups:
    return tuple((site, device) for site, device in answer.trace or ())


def _placed(fault: CountFault, base: Lookups, head: Lookups) -> CountFault:
    if fault.what not in ("lookups", "validations", "forks"):
        return fault
    if fault.against == "base":
        return replace(fault, where=counting.name_difference(base, head) or fault.where)
    return replace(fault, where=counting.name_repeated(head))
