"""What capabilities are granted beside what was found: KVM, and what a newer libvirt takes for granted.

KVM for those that were recorded without: the same QEMU on a host of its own architecture. QEMU answers little
else with KVM than without: which CPUs there are, and what is the kernel's. That is filled in as on
one plausible host of each architecture, a POWER9, a z15, an ARM with a GICv3.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Final, NamedTuple

from qcaps.capabilities.flag_rules import dropped
from qcaps.capabilities.model import Accelerator, CpuModel, CpuProperty, HostCpu

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qcaps.capabilities.model import Capabilities
    from qcaps.release import Release

_Z15_FEATURES: Final = """
aen vxpdeh aefsi mepoch msa9 msa8 msa7 msa6 msa5 msa4 msa3 msa2 msa1 sthyi edat ri deflate edat2 etoken vx
ipter mepochptff vxeh vxpd esop msa9_pckmo vxeh2 iep cte gs ppa15 zpci sea_esop2 te cmm
"""
"""What QEMU 7.2 expands CPU model gen15a to."""


class _Host(NamedTuple):
    """What KVM adds on a host of one architecture."""

    cpu: CpuModel
    """The host's CPU as a model among others."""
    expanded: HostCpu | None = None
    known_as: str | None = None
    """A named model that is the host's CPU then."""
    default: str | None = None
    """The machine types whose default CPU is the host's begin so."""
    flags: frozenset[str] = frozenset()
    rest: tuple[bytes, ...] | None = None


_HOSTS: Final = {
    "aarch64": _Host(
        CpuModel("host", "host-arm-cpu"),
        expanded=HostCpu("host"),
        flags=frozenset({"cpu.kvm-no-adjvtime"}),
        rest=(
            b"<gic version='3' kernel='yes' emulated='yes'/>",
            b"<gic version='2' kernel='no' emulated='yes'/>",
        ),
    ),
    "ppc64": _Host(CpuModel("host"), known_as="POWER9", default="pseries"),
    "s390x": _Host(
        CpuModel("host", "host-s390x-cpu", usable=True),
        expanded=HostCpu(
            "gen15a-base",
            properties=tuple(CpuProperty(name, "boolean", "true") for name in _Z15_FEATURES.split()),
        ),
        default="s390-ccw-virtio",
    ),
}
_HOST_TYPES: Final = {"ppc64": "host-powerpc64-cpu", "s390x": "host-s390x-cpu"}


@cache
def with_kvm(capabilities: Capabilities) -> Capabilities:
    """The capabilities with KVM beside TCG; those that have it, and of which no host has it, as they are."""
    host, tcg = _HOSTS.get(capabilities.arch), capabilities.accelerator("qemu")
    if capabilities.kvm or host is None or tcg is None:
        return capabilities
    of_host = _HOST_TYPES.get(capabilities.arch)
    cpus = tuple(replace(one, typename=of_host) if one.name == host.known_as else one for one in tcg.cpus)
    machines = tuple(
        replace(one, default_cpu=of_host) if host.default and one.name.startswith(host.default) else one
        for one in tcg.machines
    )
    kvm = Accelerator("kvm", host.expanded, (*cpus, host.cpu), machines)
    return replace(
        capabilities,
        flags=capabilities.flags | host.flags | {"kvm"},
        accelerators=(kvm, *capabilities.accelerators),
        rest=capabilities.rest if host.rest is None else (*_others(capabilities.rest), *host.rest),
    )


def _others(rest: Iterable[bytes]) -> tuple[bytes, ...]:
    return tuple(one for one in rest if not one.lstrip().startswith(b"<gic"))


@cache
def granted_by(capabilities: Capabilities, release: Release) -> Capabilities:
    """The capabilities with what libvirt of that release takes for granted."""
    flags = dropped(release, capabilities.arch)
    return replace(capabilities, flags=capabilities.flags | flags) if flags else capabilities
