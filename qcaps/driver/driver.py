"""The tasks: define, undefine, start, createXML, attach, detach, over domains kept as files.

A task is a list of phases (`phases`); which of them look up is the policy's business (`lookup`).
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final

from qcaps.domainxml import document
from qcaps.domainxml.codec import evolve
from qcaps.driver import phases
from qcaps.driver.attachment import add_device, remove_device
from qcaps.driver.domains import Domains
from qcaps.driver.phases import untimed
from qcaps.errors import QcapsError
from qcaps.lookups.lookup import Lookup
from qcaps.lookups.site import Site
from qcaps.release import DEFAULT, R9_0, R11_3, since
from qcaps.rules.addresses.assign import assign_addresses
from qcaps.rules.definition.validation.validate import check_parsed, validate_device
from qcaps.rules.draft import Draft
from qcaps.rules.refusal import CapabilitiesChanged
from qcaps.rules.shared.host_facts import PLAIN_HOST

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from qcaps.cache.cache import CapabilityCache
    from qcaps.capabilities.model import Capabilities
    from qcaps.domainxml.domain import Domain
    from qcaps.driver.domain_store import DomainStore
    from qcaps.driver.phases import Phase
    from qcaps.lookups.lookup import Watch
    from qcaps.lookups.policy import Policy
    from qcaps.release import Release, Since
    from qcaps.rules.shared.host_facts import HostFacts

_CHECKED_WITH_NEW_DEVICE: Final[Since[bool]] = {R9_0: False, R11_3: True}
"""Whether a persistent definition is validated as a whole once a device was added to it."""


@dataclass(frozen=True)
class Done:
    """What a task did: the domain it left, its XML, its lookups by site, the QEMU command line of a start.

    `retried` counts the attempts that were undone before because capabilities changed. `assumed` is what only
    a host could have said and was made up in the command line, a line each.
    """

    domain: Domain
    xml: str
    sites: dict[Site, int]
    command: tuple[str, ...] = ()
    retried: int = 0
    assumed: tuple[str, ...] = ()

    @property
    def lookups(self) -> int:
        """All lookups of the task."""
        return sum(self.sites.values())

    def sites_named(self) -> dict[str, int]:
        """Lookups by the name of their site, as results keep them."""
        return {site.value: count for site, count in self.sites.items()}


class QemuDriver:
    """A QEMU driver: its domains, its capability cache, the policy its tasks follow.

    Threads may share one, and processes one store: tasks on one domain follow each other. `emulator` stands
    in for every file's own (and makes an i686 guest an x86_64 one). `release` is that of the
    libvirt whose rules hold, one of `release.MODELLED`. `asked` says which binary is looked up in place of a
    domain's. `facts` is what validation asks of the host. A task that is undone because
    capabilities changed is run again up to `retries` times. `watch` is told of each lookup; `phase(name)` is
    entered around each phase. Domains found in the store are there at once.
    """

    def __init__(
        self,
        store: DomainStore,
        cache: CapabilityCache,
        policy: Policy,
        *,
        emulator: str | None = None,
        release: Release = DEFAULT,
        facts: HostFacts = PLAIN_HOST,
        retries: int = 0,
        asked: Callable[[str, Domain], str] | None = None,
        watch: Watch | None = None,
        phase: Phase = untimed,
    ) -> None:
        self.store = store
        self.cache = cache
        self.policy = policy
        self.release = release
        self.retries = retries
        self._domains = Domains(store)
        self.domains: Mapping[str, Domain] = self._domains.by_name
        self.running: dict[str, Domain] = {}
        self._started_with: dict[str, Capabilities | None] = {}
        self.facts = facts
        self._emulator = emulator
        self._asked = asked
        self._handed: Capabilities | None = None
        self._watch = watch
        self._phase = phase

    def observe(self, watch: Watch | None = None, phase: Phase = untimed) -> None:
        """From now on tell these of lookups and phases, and nobody else."""
        self._watch = watch
        self._phase = phase

    def warm(self, xml: bytes, source: str = "<string>") -> None:
        """One lookup of the binary that `xml` names, outside any task: the cache is warm then.

        A policy that hands capabilities in hands these.
        """
        self.warm_for(document.parse(xml, source, strangers=False, release=self.release))

    def warm_for(self, domain: Domain) -> None:
        """Likewise, of the binary of a domain."""
        self._handed = self.cache.lookup(self._asked_for(self._binary(domain), domain))

    # ── tasks ──────────────────────────────────────────────────────────────────────────────────────

    def define(self, xml: bytes, source: str = "<string>") -> Done:
        """Defines or redefines the domain in `xml`. Raises Refused, DomainError, StoreError.

        Like every task it raises CapabilitiesChanged under a policy that aborts; then nothing was done.
        """
        return self._retried(lambda: self._define(xml, source))

    def undefine(self, name: str) -> None:
        """Forgets the domain called `name`. Needs no capabilities."""
        with self._phase("save"):
            self._domains.forget(name)

    def start(self, name: str) -> Done:
        """Starts a persistent domain, up to and including QEMU's command line."""
        return self._retried(lambda: self._start(name))

    def create_xml(self, xml: bytes, source: str = "<string>") -> Done:
        """Defines a transient domain and starts it."""
        return self._retried(lambda: self._create_xml(xml, source))

    def destroy(self, name: str) -> None:
        """Ends a running domain. Needs no capabilities."""
        self._started_with.pop(name, None)
        if self.running.pop(name, None) is None:
            raise QcapsError(f"no domain '{name}' is running")

    def attach(
        self, name: str, xml: bytes, source: str = "<string>", *, live: bool = False, config: bool = True
    ) -> Done:
        """Adds a device to the running domain (`live`), the persistent definition (`config`), or both."""
        return self._retried(lambda: self._attach(name, xml, source, live=live, config=config))

    def detach(
        self, name: str, xml: bytes, source: str = "<string>", *, live: bool = False, config: bool = True
    ) -> Done:
        """Removes a device from the running domain, the persistent definition, or both."""
        return self._retried(lambda: self._detach(name, xml, source, live=live, config=config))

    def _define(self, xml: bytes, source: str) -> Done:
        lookup = self._lookup()
        draft = self._checked(xml, source, lookup)
        domain, text = phases.written(draft, self._phase)
        with self._domains.holding(domain.name):
            self._save(domain, text, lookup)
        return Done(domain, text, lookup.sites)

    def _start(self, name: str) -> Done:
        with self._domains.holding(name):
            domain = self._domains.get(name)
            if name in self.running:
                raise QcapsError(f"domain '{name}' is already running; destroy it first")
            lookup = self._lookup(self._asked_for(self._binary(domain), domain))
            command, assumed = phases.started(self._draft(domain), lookup, domain, self._phase, self.facts)
            with self._phase("commit"):
                self._check_capabilities(lookup)
                self.running[name] = domain
                self._started_with[name] = lookup.latest
        return Done(domain, "", lookup.sites, command, assumed=assumed)

    def _create_xml(self, xml: bytes, source: str) -> Done:
        lookup = self._lookup()
        draft = self._checked(xml, source, lookup)
        domain, text = phases.written(draft, self._phase)
        with self._domains.holding(domain.name):
            self._domains.admit(domain)
            if domain.name in self.running:
                raise QcapsError(f"domain '{domain.name}' is already running; destroy it first")
            command, assumed = phases.started(draft, lookup, None, self._phase, self.facts)
            with self._phase("commit"), self._domains.admitting(domain):
                self._check_capabilities(lookup)
                self.running[domain.name] = domain
                self._started_with[domain.name] = lookup.latest
        return Done(domain, text, lookup.sites, command, assumed=assumed)

    def _attach(self, name: str, xml: bytes, source: str, *, live: bool, config: bool) -> Done:
        with self._domains.holding(name):
            before = self._running(name) if live else self._domains.get(name)
            lookup = self._lookup(self._asked_for(self._binary(before), before), self._started_with.get(name))
            with lookup.one_pass():
                draft = self._draft(before)
                device, capabilities = phases.device_read(draft, xml, source, lookup, self._phase)
                capabilities_again = lookup.at(Site.DEVICE_PARSE_VALIDATE, device)
                validate_device(self._draft(before), device, capabilities_again, self.facts)
            after = self._draft(before)
            add_device(after, device)
            if live:
                assign_addresses(after, capabilities)
                if config:
                    lookup.at(Site.DEVICE_COPY, device)
            return self._altered(
                name,
                after,
                partial(add_device, device=device),
                lookup,
                live=live,
                config=config,
                check=not live and since(_CHECKED_WITH_NEW_DEVICE, self.release),
            )

    def _detach(self, name: str, xml: bytes, source: str, *, live: bool, config: bool) -> Done:
        with self._domains.holding(name):
            before = self._running(name) if live else self._domains.get(name)
            lookup = self._lookup(self._asked_for(self._binary(before), before), self._started_with.get(name))
            device, _ = phases.device_read(self._draft(before), xml, source, lookup, self._phase)
            after = self._draft(before)
            remove_device(after, device)
            return self._altered(
                name, after, partial(remove_device, device=device), lookup, live=live, config=config
            )

    def _retried(self, task: Callable[[], Done]) -> Done:
        for retried in range(self.retries):
            try:
                done = task()
            except CapabilitiesChanged:
                continue
            return replace(done, retried=retried) if retried else done
        done = task()
        return replace(done, retried=self.retries) if self.retries else done

    # ── what they share ────────────────────────────────────────────────────────────────────────────

    def _lookup(self, binary: str = "", kept: Capabilities | None = None) -> Lookup:
        ask, handed = self.cache.lookup, self._handed
        return Lookup(self.policy, ask, binary, handed=handed, kept=kept, watch=self._watch)

    def _draft(self, domain: Domain) -> Draft:
        return Draft(domain, self.release)

    def _checked(self, xml: bytes, source: str, lookup: Lookup) -> Draft:
        """Everything libvirt does to a definition before it believes it."""
        with self._phase("parse"):
            parsed = document.parse(xml, source, strangers=False, release=self.release)
            draft = self._draft(self._for_stand_in(parsed))
            check_parsed(draft)
        draft.emulator = self._binary(draft.domain)
        lookup.binary = self._asked_for(draft.emulator, draft.domain)
        phases.complete(draft, lookup, self._phase, self.facts)
        return draft

    def _for_stand_in(self, domain: Domain) -> Domain:
        """An emulator that stands in for a 32-bit x86 one is a 64-bit one: the guest becomes so too."""
        kind = domain.os.type
        if self._emulator is None or kind is None or kind.arch != "i686":
            return domain
        return evolve(domain, os=evolve(domain.os, type=evolve(kind, arch="x86_64")))

    def _binary(self, domain: Domain) -> str:
        return self._emulator or domain.emulator or default_emulator(domain)

    def _asked_for(self, binary: str, domain: Domain) -> str:
        return binary if self._asked is None else self._asked(binary, domain)

    def _running(self, name: str) -> Domain:
        try:
            return self.running[name]
        except KeyError:
            raise QcapsError(f"no domain '{name}' is running; start it first") from None

    def _altered(
        self,
        name: str,
        after: Draft,
        alter: Callable[[Draft], None],
        lookup: Lookup,
        *,
        live: bool,
        config: bool,
        check: bool = False,
    ) -> Done:
        """The end of attach and detach: the running domain, the persistent one, or both become `after`.

        `check`: the persistent one is validated as a whole first.
        """
        if not config:
            with self._phase("commit"):
                self._check_capabilities(lookup)
                domain = self.running[name] = after.freeze()
            return Done(domain, "", lookup.sites)
        copying = lookup.at(Site.DOMAIN_COPY)
        draft = phases.copied(self._domains.get(name), copying, self._phase, self.release)
        alter(draft)
        phases.complete_again(draft, lookup.at(Site.RE_POST_PARSE), self._phase)
        if check:
            phases.checked(draft, lookup, self._phase, self.facts)
        domain, text = phases.written(draft, self._phase)
        self._save(domain, text, lookup)
        if live:
            self.running[name] = after.freeze()
        return Done(domain, text, lookup.sites)

    def _save(self, domain: Domain, text: str, lookup: Lookup) -> None:
        """The end of a task that changes a definition; until the rename it can still be undone."""
        with self._phase("save"):
            new = self.store.prepare(domain.name, text)
        with self._phase("commit"):
            self._domains.replace(domain, new, lambda: self._check_capabilities(lookup))

    def _check_capabilities(self, lookup: Lookup) -> None:
        """Under a policy that aborts: the last moment at which a change of capabilities still counts."""
        if not self.policy.abort or lookup.task is None:
            return
        reason = self.cache.why_invalid(lookup.binary, lookup.task)
        if reason is not None:
            raise CapabilitiesChanged(lookup.binary, reason)


def default_emulator(domain: Domain) -> str:
    """The binary libvirt would pick for the domain's architecture.

    A 32-bit ARM guest has KVM on a 64-bit host alone, by that one's binary.

    Follows: virQEMUCapsGetDefaultEmulator, virQEMUCapsArchToString
    """
    arch = domain.arch or os.uname().machine
    if arch == "armv7l" and domain.virt_type == "kvm":
        arch = "aarch64"
    return f"/usr/bin/qemu-system-{_TARGETS.get(arch, arch)}"


_TARGETS: Final = {"i686": "i386", "armv6l": "arm", "armv7l": "arm"}
"""libvirt's name of an architecture to QEMU's, where a binary is called by the latter."""
