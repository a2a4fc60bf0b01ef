"""What a thing that can be measured offers, and the list of such things.

A subject is a module with `prepare(cell, xml, directory) -> PreparedCell` and `warm`, imported in the worker
only.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, cast

from qcaps.errors import unknown

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from qcaps.measure.cell import Cell


@dataclass(frozen=True)
class Counts:
    """What one run of a task did; integers that must not vary. `devices` are those of the result."""

    devices: int
    lookups: int
    validations: int
    forks: int
    probes: int
    sites: dict[str, int] = field(default_factory=dict)


class PreparedCell(Protocol):
    """One cell, prepared: caches are warm, domains that the task needs are defined."""

    def run(self) -> None:
        """The timed part: the task once."""

    def reset(self) -> None:
        """The untimed part: back to where the next run can begin."""

    def counts(self) -> Counts:
        """What one run does, found by one run and reset."""

    def totals(self) -> tuple[int, ...]:
        """Counters that only grow; each run and reset adds the same to them if nothing disturbs."""

    def facts(self) -> dict[str, str | int | float]:
        """What a reader of the results must know of how this arm was set up."""

    def close(self) -> None:
        """Give back what the arm holds."""


class SubjectModule(Protocol):
    """What the module behind a subject offers."""

    def warm(self, xmls: Sequence[bytes]) -> None:
        """What is needed to prepare any cell on these domains, once, in a process whose children will."""

    def prepare(self, cell: Cell, xml: bytes, directory: Path) -> PreparedCell:
        """The arm of a cell, its files below `directory`. Raises QcapsError if the domain is refused."""


SUBJECTS = (
    ("reference", "qcaps.measure.subjects.reference"),
    ("loop", "qcaps.measure.subjects.loop"),
)
WITHOUT_DOMAIN = frozenset({"loop"})


def subject(name: str) -> SubjectModule:
    """The subject called `name`; raises UsageError."""
    for known, module in SUBJECTS:
        if known == name:
            return cast("SubjectModule", importlib.import_module(module))
    raise unknown("subject", name, (known for known, _ in SUBJECTS))
