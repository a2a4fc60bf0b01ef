"""The guest's NUMA nodes: how many, how much memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qcaps.domainxml.domain import Domain


def memory(domain: Domain) -> int:
    """The memory of all nodes, in KiB.

    Follows: virDomainNumaGetMemorySize
    """
    numa = domain.cpu.numa if domain.cpu is not None else None
    return sum(cell.memory for cell in numa.cell) if numa is not None else 0


def count(domain: Domain) -> int:
    """How many nodes the guest has.

    Follows: virDomainNumaGetNodeCount
    """
    numa = domain.cpu.numa if domain.cpu is not None else None
    return len(numa.cell) if numa is not None else 0
