"""The guest's NUMA nodes and where the host keeps their memory, as libvirt's parser sees them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcaps.domainxml.syntax import cpuset
from qcaps.rules.shared.refuse import internal, malformed, unsupported

if TYPE_CHECKING:
    from qcaps.domainxml.domain import Domain
    from qcaps.domainxml.numa import NumaCell
    from qcaps.domainxml.tuning import Numatune, NumatuneMemory

_LOCAL, _UNREACHABLE = 10, 255


def check_parsed_numa(domain: Domain) -> None:
    """CPUs of the nodes, the distances between them, and numatune.

    Follows: virDomainNumaDefParseXML, virDomainNumatuneParseXML
    """
    numa = domain.cpu.numa if domain.cpu is not None else None
    cells = numa.cell if numa is not None else ()
    if cells:
        _check_cpus(domain, cells)
        for position, cell in enumerate(cells):
            _check_distances(position if cell.id is None else cell.id, cell, len(cells))
    if domain.numatune is not None:
        _check_numatune(domain, domain.numatune, len(cells))


def _check_cpus(domain: Domain, cells: tuple[NumaCell, ...]) -> None:
    most = 1 if domain.vcpu is None or domain.vcpu.value is None else domain.vcpu.value
    sets = [cpuset(cell.cpus) for cell in cells if cell.cpus is not None]
    if sum(map(int.bit_count, sets)) > most:
        raise internal(f"the NUMA nodes have more CPUs than the {most} of <vcpu>", cells[0])
    highest = max(map(int.bit_length, sets), default=0) - 1
    if highest >= most:
        raise internal(f"CPU {highest} of a NUMA node is not among the {most} of <vcpu>", cells[0])


# Follows: virDomainNumaDefNodeDistanceParseXML
def _check_distances(number: int, cell: NumaCell, count: int) -> None:
    if cell.distances is None:
        return
    if not cell.distances.sibling:
        raise malformed("<distances> has no <sibling>", cell)
    for sibling in cell.distances.sibling:
        if sibling.id >= count:
            raise malformed(f"sibling {sibling.id} is no NUMA node", sibling)
        valid = sibling.value == _LOCAL if sibling.id == number else _LOCAL < sibling.value <= _UNREACHABLE
        if not valid:
            raise malformed(f"{sibling.value} is no distance from node {number} to {sibling.id}", sibling)


def _placement(domain: Domain, memory: NumatuneMemory | None) -> str | None:
    """Where the memory is placed: static, auto, or None where nobody says.

    Follows: virDomainNumatuneSet
    """
    static = domain.vcpu is None or domain.vcpu.placement != "auto"
    if memory is None:
        return None if static else "auto"
    if memory.placement in ("static", "auto"):
        return memory.placement
    if memory.mode is None and memory.placement is None and memory.nodeset is None:
        return None
    return "static" if memory.nodeset is not None or static else "auto"


# Follows: virDomainNumatuneParseXML, virDomainNumatuneNodeParseXML, virDomainNumatuneSet
def _check_numatune(domain: Domain, numatune: Numatune, count: int) -> None:
    memory = numatune.memory
    placement = _placement(domain, memory)
    if memory is not None and placement == "static" and memory.nodeset is None:
        raise unsupported("numatune with placement 'static' needs a nodeset", memory)
    if not numatune.memnode:
        return
    if placement == "auto":
        raise unsupported("<memnode> does not go with automatic placement", numatune)
    if not count:
        raise malformed("<memnode> needs NUMA nodes", numatune)
    seen: set[int] = set()
    for memnode in numatune.memnode:
        if memnode.cellid >= count:
            raise malformed(f"cellid {memnode.cellid} is no NUMA node", memnode)
        if memnode.cellid in seen:
            raise malformed(f"cellid {memnode.cellid} is there twice", memnode)
        seen.add(memnode.cellid)
        if memory is not None and memory.mode == "restrictive" and memnode.mode != "restrictive":
            raise malformed("mode 'restrictive' of <memory> needs the same of each <memnode>", memnode)
