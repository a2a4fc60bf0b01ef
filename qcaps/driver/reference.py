"""The reference: a driver over recorded or given capabilities, its files in one directory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcaps.cache.cache import CapabilityCache
from qcaps.cache.host_files import Host
from qcaps.cache.validity import by_name as validity_by_name
from qcaps.capabilities import cachefile
from qcaps.capabilities.snapshots import names, snapshot
from qcaps.driver.domain_store import DomainStore
from qcaps.driver.driver import Driver
from qcaps.driver.phases import untimed
from qcaps.errors import UsageError
from qcaps.lookups.policy import by_name as policy_by_name
from qcaps.rules.shared.host_facts import PLAIN_HOST

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from qcaps.capabilities.model import Capabilities
    from qcaps.driver.phases import Phase
    from qcaps.lookups.lookup import Watch
    from qcaps.rules.shared.host_facts import HostFacts

_PREFIX = "qemu-system-"


def reference(
    directory: Path,
    *,
    policy: str,
    validity: str,
    capabilities: Path | None = None,
    emulator: str | None = None,
    host: Host | None = None,
    facts: HostFacts = PLAIN_HOST,
    watch: Watch | None = None,
    phase: Phase = untimed,
) -> Driver:
    """A driver whose domains and cache live below `directory`.

    `capabilities` is a libvirt cache file that answers for every binary; without it the recorded ones of the
    binary's architecture do. `emulator` stands in for every domain's own.
    `facts` is what validation asks of the host; the default is a plain one, the same everywhere.
    """
    cache = CapabilityCache(
        validity_by_name(validity),
        host or Host.from_machine(),
        recorded if capabilities is None else given(capabilities),
        directory=directory / "cache",
    )
    return Driver(
        DomainStore(directory / "domains"),
        cache,
        policy_by_name(policy),
        emulator=emulator,
        facts=facts,
        watch=watch,
        phase=phase,
    )


def recorded(binary: str) -> Capabilities:
    """The capabilities that ship with qcaps for a binary of this name; x86_64's where it says nothing."""
    name = binary.rpartition("/")[2]
    arch = name.removeprefix(_PREFIX) if name.startswith(_PREFIX) else "x86_64"
    arch = {"i386": "x86_64"}.get(arch, arch)
    if arch not in names():
        raise UsageError(
            f"{binary}: no recorded capabilities for {arch} (there are {', '.join(names())});"
            " hand some in with --capabilities, made by 'qcaps probe'"
        )
    return snapshot(arch).capabilities


def given(path: Path) -> Callable[[str], Capabilities]:
    """The capabilities in a libvirt cache file, whatever the binary."""
    capabilities = cachefile.read(path).capabilities
    return lambda _binary: capabilities
