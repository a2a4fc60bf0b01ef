"""What `qcaps fidelity` shows: the disagreements, and how many agree."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from qcaps.commands.terminal import progress_bar
from qcaps.errors import visible
from qcaps.files import make_folder, replacing
from qcaps.measure.fidelity.comparison import compare
from qcaps.measure.fidelity.reduction import reduced, sort_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from qcaps.driver.driver import QemuDriver
    from qcaps.measure.fidelity.comparison import FidelityOutcome, Score
    from qcaps.measure.fidelity.witness import Witness


class Showing(NamedTuple):
    """How many are shown; with a witness, one of each sort, reduced."""

    most: int
    driver: QemuDriver
    witness: Witness | None


@dataclass(frozen=True)
class Disagreement:
    """One that differs, how many do in the same way, and the least of the file that still does."""

    outcome: FidelityOutcome
    times: int = 1
    least: bytes = b""


def chosen(outcomes: list[FidelityOutcome], showing: Showing) -> list[Disagreement]:
    """Each that differs; of mutants one of each sort, the commonest first."""
    different = [one for one in outcomes if sort_of(one)]
    if showing.witness is None:
        return [Disagreement(one) for one in different]
    sorts = Counter(map(sort_of, different))
    first = {sort_of(one): one for one in reversed(different)}
    found = []
    with progress_bar() as bar:
        for number, (sort, times) in enumerate(sorts.most_common()):
            one = first[sort]
            if number < showing.most and not one.truth.death:
                bar(number, min(len(sorts), showing.most), f"reducing {one.truth.name}")
                found.append(_reduced(one, times, showing.driver, showing.witness))
            else:
                found.append(Disagreement(one, times))
    return found


def _reduced(one: FidelityOutcome, times: int, driver: QemuDriver, witness: Witness) -> Disagreement:
    name = one.truth.name
    least = reduced(one.truth.data, lambda data: sort_of(compare(driver, witness.ask(name, data))))
    return Disagreement(compare(driver, witness.ask(name, least)), times, least)


def write(folder: Path, shown: list[Disagreement]) -> None:
    """What differs as files, to ask about again."""
    make_folder(folder)
    for number, one in enumerate(shown):
        with replacing(folder / f"{number:03}.xml") as file:
            file.write(one.least or one.outcome.truth.data)


def print_all(
    reached: tuple[Score, ...], outcomes: list[FidelityOutcome], shown: list[Disagreement], most: int
) -> None:
    """For people: the first disagreements, then the scores."""
    for each in shown[:most]:
        for line in _lines(each):
            print(visible(line))
    if len(shown) > most:
        print(f"… and {len(shown) - most} more that differ (--show N)")
    for score in reached:
        share = "      -" if score.share is None else f"{score.share:7.2%}"
        print(f"{score.name:10} {score.equal:5} of {score.of:5}  {share}")
    deaths = sum(bool(one.truth.death) for one in outcomes)
    if deaths:
        print(f"no answer  {deaths:5} (libvirt died of it, or took too long: not compared)")


def _lines(each: Disagreement) -> Iterator[str]:
    one = each.outcome
    yield f"{one.truth.name}:" + (f" {each.times} of this sort" if each.times > 1 else "")
    if one.truth.death or one.answer is False:
        yield f"  real:      {one.truth.death or one.truth.error or 'accepted'}"
        yield f"  reference: {one.error or 'accepted'}"
    for line in one.difference:
        yield f"  {line}"
    if one.lookups is False:
        yield "  lookups differ"
    for line in each.least.decode(errors="replace").splitlines():
        yield f"    {line}"


def as_json(
    reached: tuple[Score, ...], outcomes: list[FidelityOutcome], shown: list[Disagreement]
) -> dict[str, object]:
    """For programs."""
    return {
        "scores": {one.name: {"equal": one.equal, "of": one.of, "share": one.share} for one in reached},
        "no_answer": [
            {"name": one.truth.name, "why": one.truth.death} for one in outcomes if one.truth.death
        ],
        "differences": [
            {
                "name": each.outcome.truth.name,
                "real": each.outcome.truth.error or "accepted",
                "reference": each.outcome.error or "accepted",
                "difference": each.outcome.difference,
                "times": each.times,
                "least": each.least.decode(errors="replace"),
            }
            for each in shown
            if not each.outcome.truth.death
        ],
    }
