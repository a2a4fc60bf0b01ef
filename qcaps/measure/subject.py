"""What a thing that can be measured offers, and the list of such things.

A subject is a value, a word in a cell: `reference`, `reference:RELEASE`, `loop`, `libvirt`,
`libvirt:PREFIX_OR_BUILD`, `libvirt-daemon[:PREFIX_OR_BUILD]`, `libvirt:URI`. What comes before the colon is
its kind: a module with `prepare(cell, xml, directory) -> PreparedCell` and `warm`, imported in the worker
only.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, cast, runtime_checkable

from qcaps.errors import unknown
from qcaps.lookups.policy import release_under
from qcaps.measure.cell import LIBVIRT
from qcaps.release import modelled, parse

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from qcaps.measure.cell import Cell
    from qcaps.release import Release


VISITS = "visits"
"""The fact that says how many devices one validation asks for; where it lacks, as many as there are."""


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


@runtime_checkable
class TimedElsewhere(Protocol):
    """An arm whose task runs in another process, which holds the clock."""

    def time(self) -> int:
        """One run, as `run`, with all that comes before a timed call: its nanoseconds."""


class SubjectModule(Protocol):
    """What the module behind a subject offers."""

    def warm(self, subject: str, xmls: Sequence[bytes]) -> None:
        """What is needed to prepare any cell on these domains, once, in a process whose children will."""

    def prepare(self, cell: Cell, xml: bytes, directory: Path) -> PreparedCell:
        """The arm of a cell, its files below `directory`. Raises QcapsError if the domain is refused."""


SUBJECTS = (
    ("reference", "qcaps.measure.subjects.reference"),
    ("loop", "qcaps.measure.subjects.loop"),
    ("libvirt", "qcaps.measure.subjects.libvirt"),
    ("libvirt-daemon", "qcaps.measure.subjects.libvirt"),
)
REFERENCE = "reference"
WITHOUT_DOMAIN = frozenset({"loop"})


def subject(name: str) -> SubjectModule:
    """What can prepare cells of the subject `name`; raises UsageError."""
    kind, _ = split(name)
    return cast("SubjectModule", importlib.import_module(dict(SUBJECTS)[kind]))


def split(name: str) -> tuple[str, str]:
    """The kind of a subject, and which one of it: "" where nothing says. Raises UsageError."""
    kind, _, which = name.partition(":")
    if kind not in dict(SUBJECTS):
        raise unknown("subject", name, (known for known, _ in SUBJECTS))
    return kind, which


def is_libvirt(name: str) -> bool:
    """Whether a subject is a real libvirt."""
    return name.startswith(LIBVIRT)


def is_reference(name: str) -> bool:
    """Whether a subject is the reference, of whatever release."""
    return name.partition(":")[0] == REFERENCE


def of_release(release: Release) -> str:
    """The reference by the rules of a release, as a subject."""
    return f"{REFERENCE}:{release}"


def ruled_by(name: str, policy: str = "") -> Release:
    """The release that a reference subject follows: its own, the policy's (`libvirt-9.0`), the default.

    Raises UsageError for one that is not modelled, or where subject and policy have each another.
    """
    _, which = split(name)
    return release_under(policy, modelled(parse(which)).release if which else None)
