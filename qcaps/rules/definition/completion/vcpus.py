"""Virtual CPUs and I/O threads: how many there are, and which may be plugged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qcaps.domainxml.codec import evolve
from qcaps.domainxml.cpu import Vcpu, Vcpus, VcpusVcpu
from qcaps.domainxml.tuning import Iothread, Iothreads
from qcaps.rules import limits
from qcaps.rules.refusal import Refused
from qcaps.rules.shared.sets import canonical

if TYPE_CHECKING:
    from qcaps.domainxml.domain import Domain
    from qcaps.rules.draft import Draft


def maximum(domain: Domain) -> int:
    """How many virtual CPUs there may be.

    Follows: virDomainDefGetVcpusMax
    """
    return 1 if domain.vcpu is None or domain.vcpu.value is None else domain.vcpu.value


def parsed(domain: Domain) -> dict[str, Any]:
    """One virtual CPU unless told otherwise; states of single ones count more than their number.

    Follows: virDomainVcpuParse
    """
    vcpu = domain.vcpu or Vcpu()
    most = maximum(domain)
    present = most if vcpu.current is None else vcpu.current
    states = domain.vcpus
    if states is not None and states.vcpu:
        limits.check_number("virtual CPUs", most, limits.CPUS, vcpu)
        states = _states(states, most)
        present = sum(one.enabled for one in states.vcpu)
    placement = vcpu.placement or "static"
    cpuset = canonical(vcpu.cpuset) if vcpu.cpuset and placement == "static" else None
    changed = evolve(
        vcpu,
        value=most,
        current=present if present != most else None,
        placement="auto" if _follows_memory(domain, placement, cpuset) else placement,
        cpuset=cpuset,
    )
    return {"vcpu": changed, "vcpus": states if states is not None and states.vcpu else None}


def check(draft: Draft) -> None:
    """The first virtual CPU is always there; those that may be plugged come after those that may not.

    Follows: qemuDomainDefVcpusPostParse
    """
    states = draft.domain.vcpus
    if states is None:
        return
    all_vcpus = states.vcpu
    first = all_vcpus[0]
    if not first.enabled:
        raise Refused("unsupported configuration: vCPU 0 cannot be offline", first)
    if first.hotpluggable:
        raise Refused("unsupported configuration: vCPU 0 cannot be hotpluggable", first)
    if first.order not in (None, 0, 1):
        raise Refused("unsupported configuration: vCPU 0 must be the first in order", first)
    ordered = bool(first.order)
    before = first
    for vcpu in all_vcpus[1:]:
        if vcpu.enabled and bool(vcpu.order) != ordered:
            raise Refused("unsupported configuration: either all vCPUs have an order, or none", vcpu)
        if vcpu.hotpluggable is False:
            if before.hotpluggable:
                raise Refused("unsupported configuration: fixed vCPUs come before hotpluggable ones", vcpu)
            if (before.order or 0) > (vcpu.order or 0):
                raise Refused("unsupported configuration: the order of fixed vCPUs must ascend", vcpu)
        before = vcpu


def complete(draft: Draft) -> None:
    """A virtual CPU that is there cannot be unplugged, and one that is not may be plugged, unless told so.

    Follows: virDomainVcpuDefPostParse
    """
    states = draft.domain.vcpus
    if states is None:
        return
    for vcpu in states.vcpu:
        if vcpu.hotpluggable is False and not vcpu.enabled:
            raise Refused(f"unsupported configuration: vCPU {vcpu.id} is neither there nor pluggable", vcpu)
    filled = tuple(
        one if one.hotpluggable is not None else evolve(one, hotpluggable=not one.enabled)
        for one in states.vcpu
    )
    draft.set(vcpus=evolve(states, vcpu=filled))


def iothreads(domain: Domain) -> dict[str, Any]:
    """As many I/O threads as are counted or listed; listed ones are numbered to the end.

    Follows: virDomainDefParseIOThreads
    """
    listed = domain.iothreadids.iothread if domain.iothreadids is not None else ()
    count = domain.iothreads.value if domain.iothreads is not None and domain.iothreads.value else 0
    count = max(count, len(listed))
    limits.check_number("I/O threads", count, limits.IOTHREADS, domain.iothreads)
    if not count:
        return {"iothreads": None, "iothreadids": None}
    changes: dict[str, Any] = {"iothreads": evolve(domain.iothreads or Iothreads(), value=count)}
    if domain.iothreadids is not None:
        taken = {one.id for one in listed}
        free = (number for number in range(1, count + 1) if number not in taken)
        rest = tuple(Iothread(id=number) for number, _ in zip(free, range(count - len(listed)), strict=False))
        full = evolve(domain.iothreadids, iothread=listed + rest)
        changes["iothreadids"] = full if listed else None
    return changes


def _states(states: Vcpus, most: int) -> Vcpus:
    by_id = {one.id: one for one in states.vcpu}
    full = (by_id.get(number) or VcpusVcpu(id=number, enabled=False) for number in range(most))
    return evolve(states, vcpu=tuple(_ordered(one) for one in full))


def _ordered(vcpu: VcpusVcpu) -> VcpusVcpu:
    return evolve(vcpu, order=None) if vcpu.order == 0 else vcpu


def _follows_memory(domain: Domain, placement: str, cpuset: str | None) -> bool:
    """Memory that numad places brings its CPUs along, if nothing pins them."""
    memory = domain.numatune.memory if domain.numatune is not None else None
    if memory is None or memory.placement != "auto" or cpuset is not None:
        return placement == "auto"
    tune = domain.cputune
    pinned = tune is not None and (tune.vcpupin or tune.emulatorpin or tune.iothreadpin)
    return placement == "auto" or not pinned
