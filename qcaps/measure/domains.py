"""What a cell's domain is: a scenario by its name, or a user's own guest."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from qcaps.content import SHIPPED, ContentFolders
from qcaps.scenario import scenario

if TYPE_CHECKING:
    from collections.abc import Mapping


class Grown(Protocol):
    """A family of domains: a scenario, or a guest that may grow."""

    @property
    def steps(self) -> tuple[int, ...]:
        """The n worth measuring."""

    def xml(self, n: int, seed: int = 0) -> str:
        """The domain at n. Raises UsageError where there is none."""


@dataclass(frozen=True)
class DomainSources:
    """Where domains are found: `guests` by the name that cells have for them, else among the scenarios."""

    content: ContentFolders = SHIPPED
    guests: Mapping[str, Grown] = field(default_factory=dict)

    def get(self, name: str) -> Grown:
        """The family called `name`. Raises UsageError."""
        return self.guests.get(name) or scenario(name, self.content)


SCENARIOS = DomainSources()
