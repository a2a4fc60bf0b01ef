"""Carries out a policy: the one way the pipeline comes by capabilities."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from qcaps.errors import QcapsError
from qcaps.lookups.policy import ORACLE, Policy, Sharing
from qcaps.lookups.site import Site

if TYPE_CHECKING:
    from qcaps.capabilities.model import Capabilities
    from qcaps.domainxml.codec import Element

Ask = Callable[[str], "Capabilities"]
"""Looks up what the binary at a path can do; the cache's own `lookup`."""

Watch = Callable[[Site, "Element | None"], None]
"""Told of each lookup: its site and, where there is one, the device."""


class Lookup:
    """The lookups of one task under a policy.

    A phase asks `at(Site.X)` and never reads the policy. `passes` are the scopes that Sharing.PASS means: one
    post-parse, one validation, one start. `kept` are the capabilities of the running domain that a task is
    about, `latest` what was looked up or handed in last.
    """

    def __init__(
        self,
        policy: Policy,
        ask: Ask,
        binary: str = "",
        *,
        handed: Capabilities | None = None,
        kept: Capabilities | None = None,
        watch: Watch | None = None,
    ) -> None:
        self.binary = binary
        self.sites: dict[Site, int] = {}
        self.task: Capabilities | None = None
        self._policy = policy
        self._sharing = policy.sharing
        self._ask = ask
        self._handed = handed
        self.latest: Capabilities | None = handed
        self._kept = kept if policy.keeps else None
        self._watch = watch
        self._pass: Capabilities | None = None

    @classmethod
    def given(cls, capabilities: Capabilities) -> Lookup:
        """No lookups at all: every site takes `capabilities`."""
        return cls(ORACLE, _never, handed=capabilities)

    @contextmanager
    def one_pass(self) -> Iterator[None]:
        """A scope of its own for Sharing.PASS."""
        outer, self._pass = self._pass, None
        try:
            yield
        finally:
            self._pass = outer

    def at(self, site: Site, device: Element | None = None) -> Capabilities:
        """The capabilities that `site` works on, looked up or shared as the policy says."""
        if self._kept is not None:
            return self._kept
        sharing = self._sharing[site]
        if sharing is Sharing.ALONE:
            found = self._pass = self._look_up(site, device)
            return found
        if sharing is Sharing.PASS:
            if self._pass is None:
                self._pass = self._look_up(site, device)
            return self._pass
        if sharing is Sharing.TASK:
            if self.task is None:
                self.task = self._look_up(site, device)
            return self.task
        if self._handed is None:
            raise QcapsError(
                f"the policy {self._policy.name} takes capabilities that are handed in, and none were: warm "
                "the driver for this domain first"
            )
        return self._handed

    def prepare(self, site: Site) -> None:
        """Takes capabilities for what follows, if `site` is one under this policy."""
        if self._sharing[site] is not Sharing.ABSENT:
            self.at(site)

    def _look_up(self, site: Site, device: Element | None) -> Capabilities:
        self.sites[site] = self.sites.get(site, 0) + 1
        if self._watch is not None:
            self._watch(site, device)
        self.latest = self._ask(self.binary)
        return self.latest


class Asked(Protocol):
    """What a phase asks for capabilities: a Lookup, or one whose answers are adapted."""

    def at(self, site: Site, device: Element | None = None) -> Capabilities:
        """The capabilities that `site` works on."""


class Adapted:
    """A lookup whose answers are adapted to one domain; where and how often it looks up does not change."""

    def __init__(self, lookup: Lookup, adapt: Callable[[Capabilities], Capabilities]) -> None:
        self._lookup = lookup
        self._adapt = adapt

    def at(self, site: Site, device: Element | None = None) -> Capabilities:
        """As `Lookup.at`, adapted."""
        return self._adapt(self._lookup.at(site, device))


def _never(binary: str) -> Capabilities:
    raise AssertionError(f"{binary}: a lookup although capabilities were handed in")
