"""The reference pipeline under a policy and a validity, with recorded capabilities.

reference        by the rules of the newest release that is modelled
reference:9.0    by those of another
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from contextlib import suppress
from importlib import resources
from typing import TYPE_CHECKING, NamedTuple

from qcaps.domainxml import document
from qcaps.domainxml.devices import Interface, Redirfilter
from qcaps.driver.driver import default_emulator
from qcaps.driver.reference import reference
from qcaps.errors import QcapsError, unknown
from qcaps.files import scratch_folder
from qcaps.measure.subject import VISITS, Counts, ruled_by

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from qcaps.domainxml.domain import Domain
    from qcaps.driver.driver import Done, QemuDriver
    from qcaps.measure.cell import Cell
    from qcaps.measure.worker.trace import Recorder

Step = Callable[[], "Done | None"]

# A disk no scenario has: its name comes after the 18,000 that fit before.
_DEVICE = b"""\
<disk type='file' device='disk'>
  <driver name='qemu' type='qcow2'/>
  <source file='/var/lib/libvirt/images/attached.qcow2'/>
  <target dev='vdzzz' bus='virtio'/>
</disk>
"""


class _Task(NamedTuple):
    """A task taken apart. `setup` runs once, `run` is timed, `reset` makes the next run possible."""

    setup: tuple[Step, ...]
    run: Step
    reset: Step


def _nothing() -> None:
    return


class ReferenceArm:
    """A driver and a task on it."""

    def __init__(self, driver: QemuDriver, xml: bytes, task: str, source: str) -> None:
        self._driver = driver
        domain = document.parse(xml, source)
        self._name = domain.name
        self._emulator = domain.emulator or default_emulator(domain)
        self._visits = 0
        driver.warm(xml, source)
        steps = _steps(driver, xml, source, self._name)
        if task not in steps:
            raise unknown("task", task, steps)
        setup, self.run, self.reset = steps[task]
        for step in setup:
            step()

    run: Step
    reset: Step

    def counts(self) -> Counts:
        """Counts of one run, from the cache's counters; sites from the task's own account."""
        domain = self._driver.domains.get(self._name)
        before = self._driver.cache.counters.copy()
        done = self.run()
        grown = self._driver.cache.counters.since(before)
        self.reset()
        if done is not None:
            domain = done.domain
        assert domain is not None, "a task that returns nothing works on a domain that is there"
        self._visits = _visits(domain)
        return Counts(
            devices=len(domain.devices.all),
            lookups=grown.lookups,
            validations=grown.validations,
            forks=grown.forks,
            probes=grown.probes,
            sites={site.value: count for site, count in done.sites.items()} if done else {},
        )

    def totals(self) -> tuple[int, ...]:
        """Lookups, validations, forks and probes so far."""
        counters = self._driver.cache.counters
        return (counters.lookups, counters.validations, counters.forks, counters.probes)

    def facts(self) -> dict[str, str | int | float]:
        """The capabilities the arm worked on, and whether its forks change user."""
        cache = self._driver.cache
        capabilities = cache.lookup(self._emulator)
        version = capabilities.version
        user = cache.host.user
        return {
            VISITS: self._visits,
            "release": str(self._driver.release),
            "capabilities": f"recorded {capabilities.arch} {_checksum(capabilities.arch)}",
            "qemu_version": f"{version // 1_000_000}.{version // 1_000 % 1_000}.{version % 1_000}",
            "dropped_user": "no" if user is None else f"yes: {user.name}",
        }

    def observe(self, recorder: Recorder | None) -> None:
        """Tell `recorder` of phases, lookups and forks from now on; None: nobody."""
        if recorder is None:
            self._driver.observe()
            self._driver.cache.counters.on_event = None
        else:
            self._driver.observe(recorder.watch, recorder.phase)
            self._driver.cache.counters.on_event = recorder.on_event

    def close(self) -> None:
        """Stop watching."""
        self._driver.cache.close()


def warm(subject: str, xmls: Sequence[bytes]) -> None:
    """Define and start each domain once: what is compiled, read and cached on the way serves every cell.

    A domain that is refused is refused again where it is measured.
    """
    with scratch_folder() as folder, suppress(QcapsError):
        driver = reference(folder, policy="naive", validity="trust", release=ruled_by(subject))
        for xml in dict.fromkeys(xmls):
            driver.start(driver.define(xml, "a domain to measure").domain.name)
        driver.cache.close()


def prepare(cell: Cell, xml: bytes, directory: Path) -> ReferenceArm:
    """The arm of a cell, its domains and its cache below `directory`."""
    ruled = ruled_by(cell.subject, cell.policy)
    driver = reference(directory, policy=cell.policy, validity=cell.validity, release=ruled)
    return ReferenceArm(driver, xml, cell.task, f"{cell.scenario}/{cell.n}")


def _steps(driver: QemuDriver, xml: bytes, source: str, name: str) -> dict[str, _Task]:
    def define() -> Done:
        return driver.define(xml, source)

    def undefine() -> None:
        driver.undefine(name)

    def define_and_undefine() -> Done:
        done = driver.define(xml, source)
        driver.undefine(name)
        return done

    def start() -> Done:
        return driver.start(name)

    def create_xml() -> Done:
        return driver.create_xml(xml, source)

    def destroy() -> None:
        driver.destroy(name)

    def attach() -> Done:
        return driver.attach(name, _DEVICE, "attached device")

    def detach() -> Done:
        return driver.detach(name, _DEVICE, "attached device")

    return {
        "define": _Task((), define, undefine),
        "define+undefine": _Task((), define_and_undefine, _nothing),
        "redefine": _Task((define,), define, _nothing),
        "undefine": _Task((define,), undefine, define),
        "start": _Task((define,), start, destroy),
        "createXML": _Task((), create_xml, destroy),
        "attach": _Task((define,), attach, detach),
        "detach": _Task((define, attach), detach, attach),
    }


def _visits(domain: Domain) -> int:
    """How many devices one validation asks for: all, but for the two kinds of `libvirt_laws`."""
    tags = [device.TAG for device in domain.devices.all]
    twice = sum(nic.type == "hostdev" for nic in domain.devices.all if isinstance(nic, Interface))
    return len(tags) + twice - tags.count(Redirfilter.TAG)


def _checksum(arch: str) -> str:
    """The CRC-32 of a shipped snapshot, which tells two recordings of one architecture apart."""
    file = resources.files("qcaps.capabilities.snapshots") / f"{arch}.xml.gz"
    return f"crc32:{zlib.crc32(file.read_bytes()):08x}"
