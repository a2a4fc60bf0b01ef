"""The guest's NUMA nodes, and the host nodes its memory comes from."""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any, Final

from qcaps.domainxml.codec import evolve
from qcaps.domainxml.cpu import Cpu
from qcaps.domainxml.devices import Memory
from qcaps.domainxml.memory import kib
from qcaps.domainxml.numa import Numa, NumaBandwidth, NumaCell, NumaDistances, NumaLatency, NumaSibling
from qcaps.domainxml.syntax import cpuset
from qcaps.domainxml.tuning import Numatune, NumatuneMemory
from qcaps.release import R9_0, R11_3, since
from qcaps.rules import limits
from qcaps.rules.definition.completion import vcpus
from qcaps.rules.machine import is_s390
from qcaps.rules.refusal import Refused
from qcaps.rules.shared.sets import canonical, ranges
from qcaps.rules.shared.sizes import attribute_in_kib

if TYPE_CHECKING:
    from qcaps.domainxml.domain import Domain
    from qcaps.domainxml.numa import NumaCache
    from qcaps.release import Since
    from qcaps.rules.draft import Draft

_LOCAL = 10
"""The distance of a node to itself."""


def parsed(numa: Numa) -> Numa:
    """Cells by number, memory in KiB.

    Follows: virDomainNumaDefParseXML
    """
    cells: list[NumaCell] = []
    for position, cell in enumerate(numa.cell):
        cpus = ranges(cpuset(cell.cpus)) if cell.cpus else ""
        number = position if cell.id is None else cell.id
        cells.append(
            evolve(attribute_in_kib(cell, "memory"), id=number, cpus=cpus or None, cache=_caches(cell))
        )
    cells = _with_distances(cells)
    cells.sort(key=lambda cell: cell.id or 0)
    between = numa.interconnects
    if between is not None:
        between = evolve(between, all=tuple(map(_link, between.all))) if between.all else None
    return evolve(numa, cell=tuple(cells), interconnects=between)


# Follows: virNumaInterconnectFormat
def _link(one: NumaLatency | NumaBandwidth) -> NumaLatency | NumaBandwidth:
    sized = attribute_in_kib(one, "value") if isinstance(one, NumaBandwidth) else one
    return evolve(sized, cache=sized.cache or None)


def _caches(cell: NumaCell) -> tuple[NumaCache, ...]:
    """With the units that libvirt writes; what is none is not written.

    Follows: virNumaCacheFormat
    """
    return tuple(
        evolve(
            one,
            associativity=None if one.associativity == "none" else one.associativity,
            policy=None if one.policy == "none" else one.policy,
            size=evolve(one.size, unit="KiB"),
            line_size=evolve(one.line_size, unit="B") if one.line_size and one.line_size.value else None,
        )
        for one in cell.cache
    )


def _with_distances(cells: list[NumaCell]) -> list[NumaCell]:
    """A distance given one way holds for the way back, unless that is given too; to itself it is 10.

    Follows: virDomainNumaDefNodeDistanceParseXML
    """
    if all(cell.distances is None for cell in cells):
        return cells
    known: dict[int, dict[int, int]] = {}
    for cell in cells:
        here = cell.id or 0
        for sibling in cell.distances.sibling if cell.distances is not None else ():
            known.setdefault(here, {here: _LOCAL})[sibling.id] = sibling.value
            known.setdefault(sibling.id, {sibling.id: _LOCAL}).setdefault(here, sibling.value)
    return [evolve(cell, distances=_distances(cell, known.get(cell.id or 0, {}))) for cell in cells]


def _distances(cell: NumaCell, known: dict[int, int]) -> NumaDistances | None:
    siblings = tuple(NumaSibling(id=number, value=known[number]) for number in sorted(known))
    return evolve(cell.distances or NumaDistances(), sibling=siblings) if siblings else None


def fill(draft: Draft) -> None:
    """Gives virtual CPUs that belong to no node to the first one.

    Follows: qemuDomainDefNumaCPUsRectify, virDomainNumaFillCPUsInNode
    """
    if since(_NODE_FOR_HOTPLUG, draft.release):
        _add_node_for_hotplug(draft)
    cpu = draft.domain.cpu
    if cpu is None or cpu.numa is None or not cpu.numa.cell:
        return
    most = vcpus.maximum(draft.domain)
    limits.check_number("virtual CPUs", most, limits.CPUS, draft.domain.vcpu)
    sets = [cpuset(cell.cpus) if cell.cpus else 0 for cell in cpu.numa.cell]
    if sum(map(int.bit_count, sets)) >= most:
        return
    left = ((1 << most) - 1) & ~reduce(or_, sets[1:], 0)
    first = evolve(cpu.numa.cell[0], cpus=ranges(left))
    draft.set(cpu=evolve(cpu, numa=evolve(cpu.numa, cell=(first, *cpu.numa.cell[1:]))))


_NODE_FOR_HOTPLUG: Final[Since[bool]] = {R9_0: False, R11_3: True}
"""Whether a domain that can take memory gets the node it needs."""


# Follows: qemuDomainDefNumaAutoAdd
def _add_node_for_hotplug(draft: Draft) -> None:
    domain = draft.domain
    cpu = domain.cpu
    if domain.max_memory is None or is_s390(domain) or (cpu is not None and cpu.numa and cpu.numa.cell):
        return
    if not (domain.max_memory.slots or kib(domain.max_memory)):
        return
    left = kib(domain.memory)
    modules = draft.of(Memory)
    for position, module in enumerate(modules):
        size = kib(module.target.size) if module.target is not None else 0
        if size > left:
            raise Refused("XML error: the memory devices are larger than the memory", module)
        left -= size
        target = module.target
        if target is not None and target.node is None and module.model in ("dimm", "nvdimm", "virtio-mem"):
            modules[position] = evolve(module, target=evolve(target, node=0))
    cell = NumaCell(id=0, memory=left, unit="KiB")
    draft.set(cpu=evolve(cpu or Cpu(), numa=Numa(cell=(cell,))))


def tuned(domain: Domain) -> dict[str, Any]:
    """Where the memory comes from: strictly from one set of nodes, or wherever numad says.

    Follows: virDomainNumatuneParseXML, virDomainNumatuneSet
    """
    tune = domain.numatune
    static = domain.vcpu is None or domain.vcpu.placement != "auto"
    own = tune.memory if tune is not None else None
    if own is None:
        if static:
            return {"numatune": _nodes(tune) if tune is not None and tune.memnode else None}
        own = NumatuneMemory(placement="auto")
    if (own.mode, own.placement, own.nodeset) == (None, None, None):
        return {"numatune": _nodes(tune) if tune is not None and tune.memnode else None}
    placement = own.placement
    if placement in (None, "default"):
        placement = "static" if own.nodeset or static else "auto"
    own = evolve(
        own,
        mode=own.mode or "strict",
        nodeset=canonical(own.nodeset) if placement == "static" and own.nodeset else None,
        placement="auto" if placement == "auto" else None,
    )
    return {"numatune": evolve(_nodes(tune or Numatune()), memory=own)}


# Follows: virDomainNumatuneNodeParseXML
def _nodes(tune: Numatune) -> Numatune:
    nodes = (
        evolve(one, mode=one.mode or "strict", nodeset=canonical(one.nodeset))
        for one in sorted(tune.memnode, key=lambda one: one.cellid)
    )
    return evolve(tune, memnode=tuple(nodes))
