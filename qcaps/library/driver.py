"""The reference driver as a library has it: a folder of its own, recorded capabilities, a warm cache."""

from __future__ import annotations

import threading
import weakref
from contextlib import ExitStack, contextmanager
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypedDict

from qcaps.driver.facts import facts_from, facts_of_host
from qcaps.driver.reference import reference
from qcaps.errors import QcapsError, UsageError
from qcaps.files import make_folder, scratch_folder
from qcaps.library.guests import NO_FILE, xml_of
from qcaps.library.outcome import NamedLookup, Outcome
from qcaps.lookups.policy import Policy
from qcaps.measure.worker.naming import describe
from qcaps.release import Release, modelled, parse
from qcaps.rules.shared.host_facts import HostFacts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from qcaps.domainxml.codec import Element
    from qcaps.driver.driver import Done
    from qcaps.library.guests import Guest
    from qcaps.lookups.site import Site


class DriverOptions(TypedDict, total=False):
    """What a Driver takes beside the policy, for whoever hands it on."""

    validity: str
    release: str | Release | None
    capabilities: str | PathLike[str] | None
    emulator: str | None
    host: str | PathLike[str] | HostFacts | None
    warm: bool


class Driver:
    """A QEMU driver that does what libvirt does, under a policy, and says what it looked up::

        with qcaps.Driver(policy="once") as driver:
            done = driver.define("guest.xml")
            print(done.lookups, done.sites)

    It keeps domains and cache in a folder that goes with it (`close`, or the end of the `with` block). Before
    each task it looks up once outside of it, so that the task finds a warm cache. Threads may share a driver.

    Args:
        policy: which steps share a lookup: one of `POLICIES` by name, `libvirt-9.0` and its like, or a
            `Policy` of your own.
        validity: how a cached answer is checked: one of `VALIDITIES` by name.
        release: the libvirt whose rules hold, as in "9.0"; by default that of the policy, else the newest
            there is.
        capabilities: a libvirt cache file that says what QEMU can do; by default recordings of real QEMUs, by
            architecture.
        emulator: stands in for every domain's own.
        host: a file with facts of the host (docs/host-facts.md); by default this machine's.
        folder: where domains and cache are kept, and stay; by default a temporary one.
        retries: how often a task that is undone, since capabilities changed, is run again.
        warm: without, the first task pays for the probe. The policy `oracle` needs it.

    Raises:
        UsageError: no such policy, validity or release.
        QcapsError: a file that cannot be read.
    """

    def __init__(
        self,
        policy: str | Policy = "naive",
        *,
        validity: str = "ctime",
        release: str | Release | None = None,
        capabilities: str | PathLike[str] | None = None,
        emulator: str | None = None,
        host: str | PathLike[str] | HostFacts | None = None,
        folder: str | PathLike[str] | None = None,
        retries: int = 0,
        warm: bool = True,
    ) -> None:
        name = policy.name if isinstance(policy, Policy) else policy
        if name == "oracle" and not warm:
            raise UsageError("the policy oracle hands capabilities in: it needs a warm driver")
        self._warm = warm
        self._seen = threading.local()
        with ExitStack() as stack:
            place = make_folder(Path(folder)) if folder else stack.enter_context(scratch_folder())
            self._engine = reference(
                place,
                policy=policy,
                validity=validity,
                capabilities=None if capabilities is None else Path(capabilities),
                emulator=emulator,
                release=_ruled(release),
                facts=host if isinstance(host, HostFacts) else _facts(host),
                watch=self._take_down,
            )
            self._engine.retries = retries
            stack.callback(self._engine.cache.close)
            self._end = weakref.finalize(self, stack.pop_all().close)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Forget everything, and remove the folder if it is a temporary one."""
        self._end()

    @property
    def release(self) -> Release:
        """The libvirt whose rules hold."""
        return self._engine.release

    @property
    def facts(self) -> HostFacts:
        """What validation asks of the host."""
        return self._engine.facts

    @property
    def domains(self) -> tuple[str, ...]:
        """The names of what is defined."""
        return tuple(self._engine.domains)

    def define(self, guest: Guest) -> Outcome:
        """Define a domain, or define it anew.

        Args:
            guest: a path, or libvirt's XML as text or bytes.

        Raises:
            Refused: libvirt refuses it; the text says file, line, element and why.
            QcapsError: it is no domain, or cannot be read.
            CapabilitiesChanged: under a policy that aborts; nothing was done. So may every task.
        """
        return self._from_xml("define", self._engine.define, guest)

    def create_xml(self, guest: Guest) -> Outcome:
        """Define a transient domain and start it, up to and including QEMU's command line.

        Raises as `define` does.
        """
        return self._from_xml("createXML", self._engine.create_xml, guest)

    def start(self, name: str) -> Outcome:
        """Start a defined domain, up to and including QEMU's command line; no QEMU is run.

        Raises QcapsError where there is no such domain, or it is running.
        """
        self._warm_for(name)
        return self._outcome("start", lambda: self._engine.start(name))

    def attach(self, name: str, device: Guest, *, live: bool = False, config: bool = True) -> Outcome:
        """Add a device (its XML, or a file with it) to the running domain, the definition, or both."""
        self._warm_for(name)
        data, source = xml_of(device)
        with _told_of(source):
            return self._outcome(
                "attach", lambda: self._engine.attach(name, data, source, live=live, config=config)
            )

    def detach(self, name: str, device: Guest, *, live: bool = False, config: bool = True) -> Outcome:
        """Remove a device, as `attach` adds it."""
        self._warm_for(name)
        data, source = xml_of(device)
        with _told_of(source):
            return self._outcome(
                "detach", lambda: self._engine.detach(name, data, source, live=live, config=config)
            )

    def undefine(self, name: str) -> None:
        """Forget a definition. Needs no capabilities. Raises QcapsError where there is none."""
        self._engine.undefine(name)

    def destroy(self, name: str) -> None:
        """End a running domain. Needs no capabilities. Raises QcapsError where none runs."""
        self._engine.destroy(name)

    def _from_xml(self, task: str, run: Callable[[bytes, str], Done], guest: Guest) -> Outcome:
        data, source = xml_of(guest)
        with _told_of(source):
            if self._warm:
                self._engine.warm(data, source)
            return self._outcome(task, lambda: run(data, source))

    def _warm_for(self, name: str) -> None:
        domain = self._engine.running.get(name) or self._engine.domains.get(name)
        if self._warm and domain is not None:
            self._engine.warm_for(domain)

    def _outcome(self, task: str, run: Callable[[], Done]) -> Outcome:
        seen: list[NamedLookup] = []
        self._seen.list = seen
        before = self._engine.cache.counters.copy()
        done = run()
        grown = self._engine.cache.counters.since(before)
        last = seen[-done.lookups :] if done.lookups else []  # attempts that were undone came before
        return Outcome(
            task=task,
            name=done.domain.name,
            devices=len(done.domain.devices.all),
            explained=tuple(
                NamedLookup(number, one.site, one.device, one.line) for number, one in enumerate(last, 1)
            ),
            forks=grown.forks,
            probes=grown.probes,
            xml=done.xml,
            command=done.command,
            assumed=done.assumed,
            retried=done.retried,
            domain=done.domain,
        )

    def _take_down(self, site: Site, device: Element | None) -> None:
        seen: list[NamedLookup] = self._seen.list
        if device is None:
            seen.append(NamedLookup(len(seen) + 1, site.value))
        else:
            seen.append(NamedLookup(len(seen) + 1, site.value, describe(device), device.line or None))


@contextmanager
def _told_of(source: str) -> Iterator[None]:
    """An error that does not name its file is told with it."""
    try:
        yield
    except QcapsError as error:
        if source != NO_FILE:
            error.file = source
        raise


def _ruled(asked: str | Release | None) -> Release | None:
    if asked is None or isinstance(asked, Release):
        return asked
    return modelled(parse(asked)).release


def _facts(file: str | PathLike[str] | None) -> HostFacts:
    return facts_of_host() if file is None else facts_from(Path(fspath(file)))
