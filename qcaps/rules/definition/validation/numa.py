"""The caches of the guest's NUMA nodes and the links between the nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qcaps.release import R9_0, R11_3, since
from qcaps.rules.shared.refuse import malformed

if TYPE_CHECKING:
    from qcaps.domainxml.numa import NumaBandwidth, NumaCell, NumaLatency
    from qcaps.release import Since
    from qcaps.rules.shared.guest import Guest

_HIGHEST_LEVEL = 3


def cells_by_id(cells: tuple[NumaCell, ...]) -> dict[int, NumaCell]:
    """Each node by its number, which is its position where none is given."""
    return {(position if cell.id is None else cell.id): cell for position, cell in enumerate(cells)}


def check_numa(guest: Guest) -> None:
    """One cache a level, and links between nodes that are there, each given once.

    Follows: virDomainNumaDefValidate
    """
    for cell in guest.cells:
        levels: set[int] = set()
        for cache in cell.cache:
            if cache.level > _HIGHEST_LEVEL:
                raise malformed(f"cache level {cache.level} is above {_HIGHEST_LEVEL}", cache)
            if cache.level in levels:
                raise malformed(f"cache level {cache.level} is given twice", cache)
            levels.add(cache.level)
    if since(_RESTRICTIVE_BOTH_WAYS, guest.draft.release):
        _check_restrictive(guest)
    numa = None if guest.domain.cpu is None else guest.domain.cpu.numa
    if numa is None or numa.interconnects is None:
        return
    cells = cells_by_id(numa.cell)
    given: set[tuple[object, ...]] = set()
    directions: set[tuple[int, int]] = set()
    for link in numa.interconnects.all:
        _check_ends(link, cells)
        key = (link.TAG, link.type, link.initiator, link.target, link.cache or 0)
        if key in given:
            raise malformed(f"the {link.TAG} from {link.initiator} to {link.target} is given twice", link)
        if link.initiator != link.target and (link.target, link.initiator) in directions:
            raise malformed(f"the link of {link.initiator} and {link.target} is given both ways", link)
        given.add(key)
        directions.add((link.initiator, link.target))


_RESTRICTIVE_BOTH_WAYS: Final[Since[bool]] = {R9_0: False, R11_3: True}
"""Whether a node's mode 'restrictive' needs the same of all memory."""


def _check_restrictive(guest: Guest) -> None:
    tune = guest.domain.numatune
    if tune is None or (tune.memory is not None and tune.memory.mode == "restrictive"):
        return
    for node in tune.memnode:
        if node.mode == "restrictive":
            raise malformed("mode 'restrictive' of <memnode> needs the same of <memory>", node)


def _check_ends(link: NumaLatency | NumaBandwidth, cells: dict[int, NumaCell]) -> None:
    initiator, target = cells.get(link.initiator), cells.get(link.target)
    if initiator is None:
        raise malformed(f"initiator {link.initiator} is no NUMA node", link)
    if target is None:
        raise malformed(f"target {link.target} is no NUMA node", link)
    if not initiator.cpus:
        raise malformed(f"initiator {link.initiator} has no CPUs", link)
    if link.cache and all(cache.level != link.cache for cache in target.cache):
        raise malformed(f"node {link.target} has no cache of level {link.cache}", link)
