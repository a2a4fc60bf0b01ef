"""The reference beside the truth, file by file, and how many of how many agree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from qcaps.errors import QcapsError
from qcaps.measure.fidelity.definition import beside

if TYPE_CHECKING:
    from qcaps.driver.driver import QemuDriver
    from qcaps.measure.fidelity.truth import Truth

SCORES: Final = ("answer", "devices", "lookups", "addresses", "whole")


@dataclass(frozen=True)
class FidelityOutcome:
    """The reference beside the truth. A field is None where the comparison does not apply."""

    truth: Truth
    error: str | None
    answer: bool | None
    devices: bool | None = None
    addresses: bool | None = None
    lookups: bool | None = None
    whole: bool | None = None
    difference: tuple[str, ...] = ()

    @property
    def agrees(self) -> bool:
        """Whether nothing differs; no answer of libvirt's differs from none."""
        return False not in (self.answer, self.devices, self.addresses, self.lookups, self.whole)


@dataclass(frozen=True)
class Score:
    """How many of how many agree."""

    name: str
    equal: int
    of: int

    @property
    def share(self) -> float | None:
        """From 0 to 1; None where there was nothing to compare."""
        return self.equal / self.of if self.of else None


def compare(driver: QemuDriver, truth: Truth) -> FidelityOutcome:
    """Defines the domain and holds the result against the truth."""
    data = truth.data
    try:
        driver.warm(data, truth.name)
        done = driver.define(data, truth.name)
    except QcapsError as error:
        return FidelityOutcome(truth, str(error), answer=None if truth.death else not truth.accepted)
    except Exception as error:  # noqa: BLE001  # a mistake of ours is a difference as any other
        return FidelityOutcome(truth, f"the reference itself fails: {error!r}", answer=False)
    driver.undefine(done.domain.name)
    if truth.death:
        return FidelityOutcome(truth, None, answer=None)
    if not truth.accepted:
        return FidelityOutcome(truth, None, answer=False)
    found = beside(done.xml.encode(), truth.xml, data)
    return FidelityOutcome(
        truth,
        None,
        answer=True,
        devices=found.devices,
        addresses=found.addresses,
        lookups=done.lookups == truth.lookups,
        whole=found.whole,
        difference=found.difference,
    )


def scores(outcomes: list[FidelityOutcome]) -> tuple[Score, ...]:
    """Accept or refuse over all files; the rest over those that both accept."""
    reached = []
    for name in SCORES:
        compared = [value for one in outcomes if (value := getattr(one, name)) is not None]
        reached.append(Score(name, sum(compared), len(compared)))
    return tuple(reached)
