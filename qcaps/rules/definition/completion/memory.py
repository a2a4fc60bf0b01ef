"""How much memory the guest has, hot-plugged modules included, and what backs it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qcaps.domainxml.codec import evolve
from qcaps.domainxml.devices import Memory as Module
from qcaps.domainxml.memory import CurrentMemory, GuestMemory, Hugepages, kib
from qcaps.domainxml.syntax import cpuset
from qcaps.release import R9_0, R11_3, since
from qcaps.rules.refusal import Refused
from qcaps.rules.shared import numa
from qcaps.rules.shared.sets import canonical
from qcaps.rules.shared.sizes import attribute_in_kib, in_kib

if TYPE_CHECKING:
    from qcaps.domainxml.domain import Domain
    from qcaps.domainxml.memory import HugepagesPage, MemoryBacking, Memtune
    from qcaps.release import Since
    from qcaps.rules.draft import Draft

_NODE_0: Final = 1
"""The set of node 0 alone."""

_UNLIMITED: Final = (2**63 - 1) // 1024
"""From here on a limit is none (KiB)."""


def parsed(domain: Domain) -> dict[str, Any]:
    """Sizes in KiB; limits that limit nothing go.

    Follows: virDomainDefParseMemory
    """
    changes: dict[str, Any] = {}
    if domain.memory is not None:
        changes["memory"] = in_kib(domain.memory)
    if domain.current_memory is not None:
        changes["current_memory"] = in_kib(domain.current_memory)
    if domain.max_memory is not None:
        changes["max_memory"] = in_kib(domain.max_memory)
    if domain.memtune is not None:
        changes["memtune"] = _limits(domain.memtune)
    if domain.memory_backing is not None:
        changes["memory_backing"] = _backing(domain.memory_backing)
    return changes


# Follows: virDomainParseMemoryLimit
def _limits(tune: Memtune) -> Memtune | None:
    kept: dict[str, Any] = {}
    for name in ("hard_limit", "soft_limit", "swap_hard_limit"):
        limit = getattr(tune, name)
        if limit is not None:
            said = limit.value is not None and kib(limit) < _UNLIMITED
            kept[name] = in_kib(limit) if said else None
    if tune.min_guarantee is not None:
        kept["min_guarantee"] = in_kib(tune.min_guarantee) if kib(tune.min_guarantee) else None
    return evolve(tune, **kept) if any(kept.values()) else None


def _backing(backing: MemoryBacking) -> MemoryBacking | None:
    changes: dict[str, Any] = {}
    if backing.hugepages is not None:
        changes["hugepages"] = _hugepages(backing.hugepages)
    allocation = backing.allocation
    if allocation is not None:
        threads = allocation.threads or None
        empty = allocation.mode is None and threads is None
        changes["allocation"] = None if empty else evolve(allocation, threads=threads)
    for name, field in (("source", "type"), ("access", "mode")):
        part = getattr(backing, name)
        if part is not None and getattr(part, field) is None:
            changes[name] = None
    changed = evolve(backing, **changes) if changes else backing
    empty = not any(value for name, value in changed.__dict__.items() if name != "line")
    return None if empty else changed


def _hugepages(pages: Hugepages) -> Hugepages:
    return evolve(pages, page=tuple(_page(page) for page in pages.page))


# Follows: virDomainHugepagesParseXML
def _page(page: HugepagesPage) -> HugepagesPage:
    page = attribute_in_kib(page, "size")
    return evolve(page, nodeset=canonical(page.nodeset)) if page.nodeset else page


def complete(draft: Draft) -> None:
    """The total is that of the nodes, where there are any; modules are part of it.

    Follows: virDomainDefPostParseMemory
    """
    domain = draft.domain
    plugged = sum(module_size(module) for module in draft.of(Module))
    total = kib(domain.memory)
    nodes = numa.memory(domain)
    if nodes:
        total = nodes + plugged
    elif plugged > total:
        raise Refused("XML error: memory modules are larger than all memory", domain)
    if total == plugged:
        raise Refused("XML error: no size of memory in <memory> or in <numa>", domain)
    current = kib(domain.current_memory)
    if not 0 < current <= total:
        current = total
    _check_maximum(domain, total, without_slots=since(_WITHOUT_SLOTS, draft.release))
    draft.set(
        memory=evolve(domain.memory or GuestMemory(), value=total, unit="KiB"),
        current_memory=evolve(domain.current_memory or CurrentMemory(), value=current, unit="KiB"),
    )


_WITHOUT_SLOTS: Final[Since[bool]] = {R9_0: False, R11_3: True}
"""Whether there may be room for memory, and no slot."""


def _check_maximum(domain: Domain, total: int, *, without_slots: bool) -> None:
    most = domain.max_memory
    if most is None:
        return
    if bool(most.value) != bool(most.slots) and not (most.value and without_slots):
        raise Refused("XML error: <maxMemory> needs a size and a number of slots", most)
    if most.value and kib(most) < total:
        raise Refused("XML error: <maxMemory> is less than <memory>", most)


def module_size(module: Module) -> int:
    """The size of a memory module, in KiB."""
    return kib(module.target.size) if module.target is not None else 0


def complete_backing(draft: Draft) -> None:
    """Huge pages for node 0 of a guest without nodes are for all of its memory.

    Follows: virDomainDefPostParseMemtune
    """
    backing = draft.domain.memory_backing
    if backing is None or backing.hugepages is None or numa.count(draft.domain):
        return
    pages = backing.hugepages.page
    if any(page.nodeset and cpuset(page.nodeset) == _NODE_0 for page in pages):
        plain = (evolve(one, nodeset=None) if one.nodeset == "0" else one for one in pages)
        pages_for_all = evolve(backing.hugepages, page=tuple(plain))
        draft.set(memory_backing=evolve(backing, hugepages=pages_for_all))
