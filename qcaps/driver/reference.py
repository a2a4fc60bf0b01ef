"""The reference: a driver over recorded or given capabilities, its files in one directory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcaps.cache.cache import CapabilityCache
from qcaps.cache.host_files import Host
from qcaps.cache.validity import by_name as validity_by_name
from qcaps.capabilities import cachefile
from qcaps.capabilities.granted import granted_by, with_kvm
from qcaps.capabilities.snapshots import names, snapshot
from qcaps.capabilities.targets import X86
from qcaps.driver.domain_store import DomainStore
from qcaps.driver.driver import QemuDriver
from qcaps.driver.phases import untimed
from qcaps.errors import UsageError
from qcaps.lookups.policy import Policy, release_under
from qcaps.lookups.policy import by_name as policy_by_name
from qcaps.rules.shared.host_facts import PLAIN_HOST

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from qcaps.capabilities.model import Capabilities
    from qcaps.domainxml.domain import Domain
    from qcaps.driver.phases import Phase
    from qcaps.lookups.lookup import Watch
    from qcaps.release import Release
    from qcaps.rules.shared.host_facts import HostFacts

_PREFIX = "qemu-system-"
_RECORDED_BY = {
    "i386": "x86_64",
    "arm": "armv7l",
    "armv6l": "armv7l",
    "ppc64le": "ppc64",
}
"""Which recording serves the target in a binary's name."""


def reference(
    directory: Path,
    *,
    policy: str | Policy,
    validity: str,
    capabilities: Path | None = None,
    emulator: str | None = None,
    release: Release | None = None,
    host: Host | None = None,
    facts: HostFacts = PLAIN_HOST,
    watch: Watch | None = None,
    phase: Phase = untimed,
) -> QemuDriver:
    """A driver whose domains and cache live below `directory`.

    `capabilities` is a libvirt cache file that answers for every binary; without it the recorded ones of the
    binary's architecture do. `emulator` stands in for every domain's own.
    `release` is that of the libvirt whose rules hold, one that is modelled; by default that of the policy's
    name, as in `libvirt-9.0`, else `DEFAULT`.
    `facts` is what validation asks of the host; the default is a plain one, the same everywhere.
    """
    chosen = policy if isinstance(policy, Policy) else policy_by_name(policy)
    ruled = release_under(policy if isinstance(policy, str) else policy.name, release)
    source = recorded if capabilities is None else given(capabilities)
    cache = CapabilityCache(
        validity_by_name(validity),
        host or Host.from_machine(),
        lambda binary: granted_by(source(binary), ruled),
        directory=directory / "cache",
    )
    return QemuDriver(
        DomainStore(directory / "domains"),
        cache,
        chosen,
        emulator=emulator,
        release=ruled,
        facts=facts,
        asked=binary_by_arch if capabilities is None and emulator is None else None,
        watch=watch,
        phase=phase,
    )


def recorded(binary: str) -> Capabilities:
    """The capabilities that ship with qcaps for a binary of this name; x86_64's where it says nothing.

    They stand for a host of the binary's architecture that has KVM.
    """
    name = binary.rpartition("/")[2]
    arch = name.removeprefix(_PREFIX) if name.startswith(_PREFIX) else "x86_64"
    arch = _RECORDED_BY.get(arch, arch)
    if arch not in names():
        raise UsageError(
            f"{binary}: no recorded capabilities for {arch} (there are {', '.join(names())});"
            " hand some in with --capabilities, made by 'qcaps probe'"
        )
    return with_kvm(snapshot(arch).capabilities)


def binary_by_arch(binary: str, domain: Domain) -> str:
    """The binary whose capabilities are recorded, for one whose name says nothing of its architecture.

    `/usr/libexec/qemu-kvm` is the same name on every architecture; there the domain's says which it is.
    """
    arch = domain.arch
    if arch is None or arch in X86 or binary.rpartition("/")[2].startswith(_PREFIX):
        return binary
    return f"/usr/bin/{_PREFIX}{arch}"


def given(path: Path) -> Callable[[str], Capabilities]:
    """The capabilities in a libvirt cache file, whatever the binary."""
    capabilities = cachefile.read(path).capabilities
    return lambda _binary: capabilities
