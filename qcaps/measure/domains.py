"""What a cell's domain is: a scenario by its name, or a user's own guest."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from qcaps.content import SHIPPED, ContentFolders
from qcaps.scenario import scenario

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Grown(Protocol):
    """A family of domains: a scenario, or a guest that may grow."""

    @property
    def steps(self) -> tuple[int, ...]:
        """The n worth measuring."""

    def xml(self, n: int, seed: int = 0) -> str:
        """The domain at n. Raises UsageError where there is none."""


class UserGuest(Grown, Protocol):
    """A user's own domain, which may grow; `refusal` says why there is none in its file."""

    @property
    def refusal(self) -> str:
        """One line with file and line, or ""."""

    def beyond(self, n: int) -> str:
        """One line that says how far it grows, where n is more than that; else ""."""


@dataclass(frozen=True)
class DomainSources:
    """Where domains are found: `guests` by the name that cells have for them, else among the scenarios."""

    content: ContentFolders = SHIPPED
    guests: Mapping[str, UserGuest] = field(default_factory=dict)

    def get(self, name: str) -> Grown:
        """The family called `name`. Raises UsageError."""
        return self.guests.get(name) or scenario(name, self.content)

    def refusal(self, name: str) -> str:
        """Why there is no domain in the file that a guest is from; "" for all else."""
        return self.guests[name].refusal if name in self.guests else ""

    def beyond(self, sizes: Iterable[tuple[str, int]]) -> tuple[str, ...]:
        """A line for each guest that does not grow as far as one of these sizes of it."""
        lines = (self.guests[name].beyond(n) for name, n in sizes if name in self.guests)
        return tuple(dict.fromkeys(filter(None, lines)))


SCENARIOS = DomainSources()


def named(
    names: Iterable[str], content: ContentFolders = SHIPPED, grow: str = ""
) -> tuple[DomainSources, tuple[str, ...]]:
    """Where the domains that a user named are found, and the names that cells have for them.

    A name is a scenario's, a domain file, a folder of such files, or `-` for standard input; a file has n
    more devices of the family `grow`. Raises QcapsError for what is none of these.
    """
    from qcaps.guest import FromScenario, resolve_all  # not for workers, which have the XML

    guests, known = {}, []
    for one in resolve_all(names, content, grow=grow):
        # What a file holds may change under its name: its contents are part of what a result is of.
        digest = "" if one.refusal or isinstance(one, FromScenario) else f"#{one.digest(0)[:8]}"
        known.append(f"{one.name}{digest}")
        if not isinstance(one, FromScenario):
            guests[known[-1]] = one
    return DomainSources(content, guests), tuple(dict.fromkeys(known))
