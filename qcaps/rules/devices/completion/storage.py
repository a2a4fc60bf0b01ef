"""Memory that is shared or plugged in, and directories of the host."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Final

from qcaps.capabilities.targets import PPC64
from qcaps.domain import syntax
from qcaps.domain.codec import evolve
from qcaps.domain.devices.shmem import ShmemModel, ShmemMsi
from qcaps.domain.memory import Size, kib
from qcaps.rules.devices.completion.common import says_something
from qcaps.rules.refusal import Refused
from qcaps.rules.shared.sets import canonical
from qcaps.rules.shared.sizes import in_bytes, in_kib

if TYPE_CHECKING:
    from qcaps.domain.devices import Filesystem, Memory, Shmem
    from qcaps.domain.devices.memory import MemorySource
    from qcaps.domain.domain import Domain
    from qcaps.rules.shared.state import State

_MIB: Final = 1024 * 1024
_DEFAULT_SHMEM: Final = 4 * _MIB
_PPC64_STEP_KIB: Final = 256 * 1024


def parsed_filesystem(_domain: Domain, filesystem: Filesystem) -> Filesystem:
    """Words that mean nothing said are left out; sizes are in bytes."""
    changes: dict[str, Any] = {"type": filesystem.type}
    if filesystem.multidevs == "default":
        changes["multidevs"] = None
    for name in ("fmode", "dmode"):
        if filesystem.__dict__.get(name) == 0:
            changes[name] = None
    for name in ("space_hard_limit", "space_soft_limit"):
        if (limit := filesystem.__dict__.get(name)) is not None:
            changes[name] = _bytes(limit)
    if (driver := filesystem.driver) is not None:
        plain = {name: None for name in ("type", "wrpolicy") if getattr(driver, name) == "default"}
        changed = evolve(driver, **plain)
        said = any(value is not None for name, value in changed.__dict__.items() if name != "line")
        changes["driver"] = changed if said else None
    if filesystem.binary is not None and (driver is None or driver.type != "virtiofs"):
        changes["binary"] = None
    source = filesystem.source
    if filesystem.type == "ram" and source is not None and source.usage is not None:
        usage = in_bytes(Size(value=source.usage, unit=source.units), "KiB") // 1024
        changes["source"] = evolve(source, usage=usage, units="KiB")
    return evolve(filesystem, **changes)


def _bytes(size: Size) -> Size | None:
    if not size.value:
        return None
    return evolve(size, value=in_bytes(size, "bytes"), unit="bytes")


def complete_filesystem(_state: State, filesystem: Filesystem) -> Filesystem:
    """The guest's owners are the host's, unless a daemon of the user's serves the directory."""
    daemon = filesystem.source is not None and filesystem.source.socket is not None
    if filesystem.accessmode is not None or daemon:
        return filesystem
    return evolve(filesystem, accessmode="passthrough")


def parsed_memory(_domain: Domain, module: Memory) -> Memory:
    """Sizes in KiB."""
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


def _memory_source(source: MemorySource) -> MemorySource | None:
    changes: dict[str, Any] = {}
    if source.nodemask:
        changes["nodemask"] = canonical(source.nodemask)
    for name in ("pagesize", "alignsize"):
        if (size := getattr(source, name)) is not None:
            changes[name] = in_kib(size) if kib(size) else None
    changed = evolve(source, **changes)
    return changed if says_something(changed) else None


def complete_memory(state: State, module: Memory) -> Memory:
    """What pmem writes must reach its file; pseries counts memory in steps of 256 MiB."""
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


def parsed_shmem(_domain: Domain, shmem: Shmem) -> Shmem:
    """The oldest model unless told otherwise, and it has no roles."""
    model = shmem.model or ShmemModel()
    changes: dict[str, Any] = {"model": evolve(model, type=model.type or "ivshmem")}
    if shmem.role is not None and model.type in (None, "ivshmem"):
        changes["role"] = None
    if shmem.msi is not None:
        changes["msi"] = evolve(shmem.msi, vectors=shmem.msi.vectors or None)
    return evolve(shmem, **changes)


def complete_shmem(_state: State, shmem: Shmem) -> Shmem:
    """4 MiB, unless a server says how much."""
    model = shmem.model.type if shmem.model is not None else None
    size = in_bytes(shmem.size, "bytes") if shmem.size is not None else 0
    if model != "ivshmem-doorbell" and not size:
        size = _DEFAULT_SHMEM
    shown = evolve(shmem.size or Size(), value=size // _MIB, unit="M") if size else None
    shmem = evolve(shmem, size=shown)
    if model == "ivshmem":
        return shmem
    if shmem.server is None:
        if model == "ivshmem-doorbell":
            raise Refused("unsupported configuration: ivshmem-doorbell needs a server", shmem)
        return shmem
    if model == "ivshmem-plain":
        raise Refused("unsupported configuration: ivshmem-plain has no server", shmem)
    if size:
        raise Refused("unsupported configuration: the server decides the size of ivshmem-doorbell", shmem)
    msi = shmem.msi or ShmemMsi()
    return evolve(shmem, msi=evolve(msi, ioeventfd=True if msi.ioeventfd is None else msi.ioeventfd))
