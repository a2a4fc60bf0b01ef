"""`-numa`: the guest's nodes, their distances, and what they cost each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcaps.domainxml.numa import NumaLatency
from qcaps.domainxml.syntax import cpuset, scaled
from qcaps.rules.devices.memory.arguments import Backed, backing
from qcaps.rules.refusal import Refused
from qcaps.rules.shared.sets import ranges
from qcaps.rules.start.memory import old_options

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qcaps.domainxml.numa import Numa, NumaCell
    from qcaps.rules.start.launch import Launch

_LOCAL, _REMOTE = 10, 20
_HIERARCHY = ("memory", "first-level", "second-level", "third-level")
_ASSOCIATIVITY = {"none": "none", "direct": "direct", "full": "complex"}
_POLICY = {"none": "none", "writeback": "write-back", "writethrough": "write-through"}


def nodes(launch: Launch) -> Iterator[str]:
    """Every node, with an object behind it where the machine type or the domain wants one.

    Follows: qemuBuildNumaCommandLine
    """
    cells = launch.nodes
    if not cells:
        return
    numa = launch.domain.cpu.numa if launch.domain.cpu else None
    hmat = bool(numa and numa.interconnects)
    machine = launch.capabilities.machine(launch.domain.machine or "", launch.domain.virt_type)
    backed = [
        backing(launch, Backed(name=f"ram-node{number}", size=launch.node_memory(cell), node=number))
        for number, cell in enumerate(cells)
    ]
    objects = hmat or not (machine and machine.numa_mem_supported) or any(needed for needed, _ in backed)
    if not objects:
        yield from old_options(launch)
    first = next((number for number, cell in enumerate(cells) if cell.cpus), None)
    if first is None:
        raise Refused("at least one NUMA node needs CPUs", numa)
    for number, cell in enumerate(cells):
        if objects:
            yield from backed[number][1]
        words = [f"node,nodeid={number}", *(f"cpus={part}" for part in _cpus(cell))]
        if hmat:
            words.append(f"initiator={_initiator(numa, number, cell, first)}")
        words.append(f"memdev=ram-node{number}" if objects else f"mem={launch.node_memory(cell) // 1024}")
        yield from ("-numa", ",".join(words))
    yield from _distances(cells)
    if hmat and numa:
        yield from _interconnects(numa)
        yield from _caches(cells)


# Follows: qemuBuildNumaCPUs
def _cpus(cell: NumaCell) -> list[str]:
    return ranges(cpuset(cell.cpus)).split(",") if cell.cpus else []


def _initiator(numa: Numa | None, number: int, cell: NumaCell, first: int) -> int:
    """The node whose CPUs reach this one's memory best: itself, else by latency, else by bandwidth.

    Follows: virDomainNumaGetNodeInitiator
    """
    if cell.cpus:
        return number
    links = [
        one for one in (numa.interconnects.all if numa and numa.interconnects else ()) if one.target == number
    ]
    latencies = [one for one in links if isinstance(one, NumaLatency)]
    if latencies:
        return min(latencies, key=lambda one: one.value).initiator
    return max(links, key=lambda one: one.value).initiator if links else first


def _distances(cells: tuple[NumaCell, ...]) -> Iterator[str]:
    """All distances as soon as one is given, the other way round where only that one is."""
    given = {
        (source, sibling.id): sibling.value
        for source, cell in enumerate(cells)
        for sibling in (cell.distances.sibling if cell.distances else ())
    }
    if not given:
        return
    for source in range(len(cells)):
        for target in range(len(cells)):
            usual = _LOCAL if source == target else _REMOTE
            distance = given.get((source, target), given.get((target, source), usual))
            yield from ("-numa", f"dist,src={source},dst={target},val={distance}")


# Follows: qemuBuildNumaHMATCommandLine
def _interconnects(numa: Numa) -> Iterator[str]:
    for link in numa.interconnects.all if numa.interconnects else ():
        head = (
            f"hmat-lb,initiator={link.initiator},target={link.target}"
            f",hierarchy={_HIERARCHY[link.cache or 0]},data-type={link.type}-"
        )
        if isinstance(link, NumaLatency):
            yield from ("-numa", f"{head}latency,latency={link.value}")
        else:
            yield from ("-numa", f"{head}bandwidth,bandwidth={scaled(link.value, link.unit) // 1024}K")


# Follows: qemuBuildNumaCellCache
def _caches(cells: tuple[NumaCell, ...]) -> Iterator[str]:
    for number, cell in enumerate(cells):
        for cache in cell.cache:
            size, line = cache.size.value, cache.line_size.value
            words = (
                f"hmat-cache,node-id={number},size={size}K,level={cache.level}"
                f",associativity={_ASSOCIATIVITY[cache.associativity]},policy={_POLICY[cache.policy]}"
            )
            yield from ("-numa", f"{words},line={line}" if line else words)
