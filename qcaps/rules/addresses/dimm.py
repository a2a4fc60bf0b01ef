"""Slots of memory modules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcaps.domainxml.address import DimmAddress
from qcaps.domainxml.codec import evolve
from qcaps.domainxml.devices import Memory
from qcaps.rules.refusal import Refused

if TYPE_CHECKING:
    from qcaps.rules.draft import Draft

_MODULES = ("dimm", "nvdimm")


def assign_dimm(draft: Draft) -> None:
    """Gives memory modules the lowest free slots of `<maxMemory slots=…>`. Raises Refused if none is left.

    Follows: qemuDomainAssignMemorySlots
    """
    most = draft.domain.max_memory
    if most is None:
        return
    modules = draft.of(Memory)
    used = {one.address.slot for one in modules if isinstance(one.address, DimmAddress)}
    slot = 0
    for index, module in enumerate(modules):
        if module.model not in _MODULES or isinstance(module.address, DimmAddress):
            continue
        while slot in used:
            slot += 1
        if slot >= (most.slots or 0):
            raise Refused("internal error: no memory slot is free; raise <maxMemory slots=…>", module)
        modules[index] = evolve(module, address=DimmAddress(slot=slot))
        slot += 1
