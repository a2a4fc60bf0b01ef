"""`<memory>`: sizes in KiB, and what pseries rounds them to."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Final

from qcaps.capabilities.targets import PPC64
from qcaps.domainxml import syntax
from qcaps.domainxml.codec import evolve
from qcaps.domainxml.memory import kib
from qcaps.rules.refusal import Refused
from qcaps.rules.shared.common import says_something
from qcaps.rules.shared.sets import canonical
from qcaps.rules.shared.sizes import in_kib

if TYPE_CHECKING:
    from qcaps.domainxml.devices import Memory
    from qcaps.domainxml.devices.memory import ModuleSource
    from qcaps.domainxml.domain import Domain
    from qcaps.rules.shared.state import State


_PPC64_STEP_KIB: Final = 256 * 1024


def read(_domain: Domain, module: Memory) -> Memory:
    """Writes sizes in KiB; leaves out what the model has not.

    Follows: virDomainMemoryDefParseXML, virDomainMemoryTargetDefParseXML
    """
    target = module.target
    if target is None:
        return module
    sizes: dict[str, Any] = {"size": in_kib(target.size), "current": None}
    for name in ("block", "requested"):
        if (size := getattr(target, name)) is not None:
            sizes[name] = in_kib(size) if module.model == "virtio-mem" else None
    if target.label is not None:
        size = target.label.size if module.model == "nvdimm" else None
        shown = None if size is None else evolve(target.label, size=in_kib(size))
        sizes["label"] = shown if kib(size) else None
    changes: dict[str, Any] = {"target": evolve(target, **sizes)}
    if module.uuid is not None:
        changes["uuid"] = _uuid(module, module.uuid) if module.model == "nvdimm" else None
    if module.source is not None:
        changes["source"] = _memory_source(module.source)
    return evolve(module, **changes)


def _uuid(module: Memory, text: str) -> str:
    try:
        return syntax.uuid(text)
    except ValueError as error:
        raise Refused(f"internal error: {error}", module) from None


# Follows: virDomainMemorySourceDefParseXML
def _memory_source(source: ModuleSource) -> ModuleSource | None:
    changes: dict[str, Any] = {}
    if source.nodemask:
        changes["nodemask"] = canonical(source.nodemask)
    for name in ("pagesize", "alignsize"):
        if (size := getattr(source, name)) is not None:
            changes[name] = in_kib(size) if kib(size) else None
    changed = evolve(source, **changes)
    return changed if says_something(changed) else None


def complete(state: State, module: Memory) -> Memory:
    """Shared access for virtio-pmem; on pseries, sizes in steps of 256 MiB and a UUID for NVDIMMs.

    Follows: qemuDomainMemoryDefPostParse, virDomainMemoryDefPostParse, qemuDomainNVDimmAlignSizePseries
    """
    if module.model == "virtio-pmem" and module.access is None:
        module = evolve(module, access="shared")
    target = module.target
    if state.domain.arch not in PPC64 or target is None:
        return module
    size = kib(target.size)
    if module.model != "nvdimm":
        size = -(-size // _PPC64_STEP_KIB) * _PPC64_STEP_KIB
    else:
        label = kib(target.label.size) if target.label is not None else 0
        area = (size - label) // _PPC64_STEP_KIB * _PPC64_STEP_KIB
        if not area:
            raise Refused("XML error: an NVDIMM has 256 MiB or more beside its label", module)
        size = area + label
        if module.uuid is None:
            module = evolve(module, uuid=str(uuid.uuid4()))
    return evolve(module, target=evolve(target, size=evolve(target.size, value=size, unit="KiB")))
