"""The persistent definitions of a driver: in memory by name, on disk in a store that others may share."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from hashlib import blake2b
from typing import TYPE_CHECKING

from qcaps.bounded import read_bounded
from qcaps.domainxml import document
from qcaps.errors import QcapsError
from qcaps.rules.refusal import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from qcaps.domainxml.domain import Domain
    from qcaps.driver.domain_store import DomainStore


class Domains:
    """What is defined. A task on a domain holds its name from its first look to its last write.

    What another process changed is read before a task looks, and again before it writes. A file that
    cannot be read as the domain it is named after is passed over with a warning, as libvirt does; the other
    domains are there nevertheless.
    """

    def __init__(self, store: DomainStore) -> None:
        self.by_name: dict[str, Domain] = {}
        self._store = store
        self._name_of: dict[str | None, str] = {}
        self._digests: dict[str, bytes] = {}
        self._changes = -1
        with store.locks.changing():
            self._refresh()

    @contextmanager
    def holding(self, name: str) -> Iterator[None]:
        """No other task, in any thread or process, changes the domain called `name` until the block ends."""
        with self._store.locks.holding(name):
            if self._store.locks.changes() != self._changes:
                with self._store.locks.changing():
                    self._refresh()
            yield

    def get(self, name: str) -> Domain:
        """The definition of the domain called `name`. Raises QcapsError."""
        try:
            return self.by_name[name]
        except KeyError:
            raise QcapsError(f"no domain '{name}' is defined") from None

    def admit(self, domain: Domain) -> None:
        """Refuses a name or UUID that belongs to another domain."""
        other = self._name_of.get(domain.uuid)
        if other is not None and other != domain.name:
            raise Refused(f"UUID {domain.uuid} belongs to the domain '{other}'", domain)
        known = self.by_name.get(domain.name)
        if known is not None and known.uuid != domain.uuid:
            raise Refused(f"a domain '{domain.name}' exists already with UUID {known.uuid}", domain)

    @contextmanager
    def admitting(self, domain: Domain) -> Iterator[None]:
        """The table as it is now, closed to others, and `domain` admitted to it."""
        with self._store.locks.changing():
            self._refresh()
            self.admit(domain)
            yield

    def replace(self, domain: Domain, new: str, check: Callable[[], None]) -> None:
        """Makes the prepared file `new` the definition of `domain`; `check` may raise until the last moment.

        Whatever is raised, `new` is gone and all is as it was. To be called while holding the name.
        """
        published = False
        try:
            with self.admitting(domain):
                check()
                self._store.publish(domain.name, new)
                published = True
                self._changes = self._store.locks.count_change()
                self._put(domain)
        finally:
            if not published:
                self._store.abandon(new)

    def forget(self, name: str) -> None:
        """Removes a definition. Raises QcapsError if there is none, StoreError if its file stays."""
        with self.holding(name), self._store.locks.changing():
            self._refresh()
            self.get(name)
            self._store.remove(name)
            self._changes = self._store.locks.count_change()
            self._drop(name)

    def _put(self, domain: Domain) -> None:
        """In one step for whoever reads `by_name` without a lock."""
        before = self.by_name.get(domain.name)
        self.by_name[domain.name] = domain
        if before is not None:
            self._name_of.pop(before.uuid, None)
        self._name_of[domain.uuid] = domain.name
        self._digests.pop(domain.name, None)

    def _drop(self, name: str) -> None:
        domain = self.by_name.pop(name, None)
        self._digests.pop(name, None)
        if domain is not None:
            self._name_of.pop(domain.uuid, None)

    def _refresh(self) -> None:
        """Reads what others changed; within `changing`."""
        changes = self._store.locks.changes()
        if changes == self._changes:
            return
        files = self._store.saved()
        for name in [name for name in self.by_name if name not in files]:
            self._drop(name)
        for name, path in files.items():
            try:
                self._load(name, path)
            except (OSError, QcapsError) as error:
                self._drop(name)
                logging.getLogger(__name__).warning("passed over: %s", error)
        self._changes = changes

    def _load(self, name: str, path: Path) -> None:
        data = read_bounded(path)
        digest = blake2b(data, digest_size=16).digest()
        if self._digests.get(name) == digest:
            return
        domain = document.parse(data, str(path))
        if domain.name != name:
            raise QcapsError(f"{path}: holds the domain '{domain.name}'; rename the file, or the domain")
        if domain.uuid is None:
            raise QcapsError(f"{path}: has no <uuid>; define the domain anew")
        other = self._name_of.get(domain.uuid)
        if other not in (None, name):
            raise QcapsError(f"{path}: UUID {domain.uuid} belongs to the domain '{other}' already")
        self._put(domain)
        self._digests[name] = digest
