"""`<cpu>` and `<vcpu>` against the machine and QEMU."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qcaps.domainxml.devices import Iommu
from qcaps.release import R9_0, R11_3, since
from qcaps.rules.machine import VCPUS_WITHOUT_EIM
from qcaps.rules.shared.refuse import need, unsupported

if TYPE_CHECKING:
    from qcaps.capabilities.model import Capabilities
    from qcaps.domainxml.cpu import Cpu
    from qcaps.release import Since
    from qcaps.rules.shared.guest import Guest

"""More need an I/O MMU with extended interrupt mode."""

_UINT_MAX = 2**32 - 1


def check_cpu(guest: Guest, caps: Capabilities) -> None:
    """Address bits, cache, and the modes that QEMU must know.

    Follows: qemuValidateDomainDefCpu
    """
    cpu = guest.domain.cpu
    if cpu is None:
        return
    _check_address_bits(guest, cpu)
    _check_cache(guest, cpu)
    if cpu.mode == "host-passthrough" and cpu.migratable:
        need(caps, "cpu.migratable", "migratable='on' of a host-passthrough CPU", cpu)
    if cpu.mode == "maximum":
        need(caps, "cpu-max", "CPU mode 'maximum'", cpu)


_EMULATES_ANY_BITS: Final[Since[bool]] = {R9_0: False, R11_3: True}
"""Whether maxphysaddr mode 'emulate' can do without a number."""


def _check_address_bits(guest: Guest, cpu: Cpu) -> None:
    asked = cpu.maxphysaddr
    if asked is None:
        return
    if not guest.is_x86:
        raise unsupported(f"maxphysaddr has no meaning on architecture '{guest.arch}'", asked)
    if asked.mode == "passthrough":
        if asked.bits is not None:
            raise unsupported("maxphysaddr mode 'passthrough' takes no bits", asked)
        return
    if asked.bits is None:
        if since(_EMULATES_ANY_BITS, guest.draft.release):
            return
        raise unsupported("maxphysaddr mode 'emulate' needs bits", asked)
    host = guest.host.physical_address_bits
    if host is not None and asked.bits > host:
        raise unsupported(f"the host CPU has {host} address bits, fewer than bits='{asked.bits}'", asked)


def _check_cache(guest: Guest, cpu: Cpu) -> None:
    cache = cpu.cache
    if cache is None:
        return
    if not guest.is_x86:
        raise unsupported(f"<cache> has no meaning on architecture '{guest.arch}'", cache)
    if cache.mode == "emulate":
        if cache.level != 3:  # noqa: PLR2004  # the only level QEMU emulates
            raise unsupported("CPU cache mode 'emulate' needs level='3'", cache)
        return
    if cache.mode == "passthrough" and cpu.mode not in ("host-passthrough", "maximum"):
        raise unsupported("CPU cache mode 'passthrough' needs a 'host-passthrough' or 'maximum' CPU", cache)
    if cache.level is not None:
        raise unsupported(f"CPU cache mode '{cache.mode}' takes no level", cache)


def topology_vcpus(guest: Guest) -> int | None:
    """How many CPUs sockets, dies, clusters, cores and threads make; None when no topology is given.

    Follows: virDomainDefGetVcpusTopology
    """
    topology = None if guest.domain.cpu is None else guest.domain.cpu.topology
    if topology is None:
        return None
    product = topology.sockets
    for factor in (topology.dies or 1, topology.clusters or 1, topology.cores, topology.threads):
        product *= factor
        if product > _UINT_MAX:
            raise unsupported(f"the CPU topology makes more than {_UINT_MAX} CPUs", topology)
    return product


def check_vcpus(guest: Guest, caps: Capabilities) -> None:
    """The number of CPUs against the machine's limit, the topology and the I/O MMU.

    Follows: qemuValidateDomainVCpuTopology
    """
    domain = guest.domain
    if guest.vcpus == 0:
        raise unsupported("a domain needs at least one CPU", domain.vcpu)
    machine = guest.machine_in(caps)
    most = machine.max_cpus if machine is not None else 0
    if 0 < most < guest.vcpus_max:
        raise unsupported(
            f"machine type '{guest.machine}' has at most {most} CPUs, not {guest.vcpus_max}", domain.vcpu
        )
    if "query-hotpluggable-cpus" in caps.flags:
        _check_topology(guest)
    if not guest.is_x86 or guest.vcpus_max <= VCPUS_WITHOUT_EIM:
        return
    if not guest.is_q35:
        raise unsupported(f"more than {VCPUS_WITHOUT_EIM} CPUs need a q35 machine type", domain.vcpu)
    if not any(iommu.driver is not None and iommu.driver.eim for iommu in guest.draft.of(Iommu)):
        raise unsupported(f"more than {VCPUS_WITHOUT_EIM} CPUs need an I/O MMU with eim='on'", domain.vcpu)


# Follows: qemuValidateDomainVCpuTopology, qemuValidateDefGetVcpuHotplugGranularity
def _check_topology(guest: Guest) -> None:
    made = topology_vcpus(guest)
    if made is None:
        return
    topology = None if guest.domain.cpu is None else guest.domain.cpu.topology
    if made != guest.vcpus_max:
        raise unsupported(
            f"the CPU topology makes {made} CPUs, the maximum of <vcpu> is {guest.vcpus_max}", topology
        )
    step = topology.threads if topology is not None and guest.is_pseries else 1
    if guest.vcpus % step:
        raise unsupported(f"{guest.vcpus} CPUs are no multiple of a core's {step} threads", topology)
