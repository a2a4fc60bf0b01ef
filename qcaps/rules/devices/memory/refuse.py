"""`<memory>`: what each model needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcaps.domainxml.memory import kib
from qcaps.domainxml.syntax import cpuset, each, uuid
from qcaps.rules.refusal import Refused
from qcaps.rules.shared.refuse import malformed, need, unsupported

if TYPE_CHECKING:
    from collections.abc import Callable

    from qcaps.capabilities.model import Capabilities
    from qcaps.domainxml import devices as d
    from qcaps.domainxml.devices import Memory
    from qcaps.rules.shared.guest import Guest


_SMALLEST_LABEL_KIB = 128


def refuse_read(memory: d.Memory) -> None:
    """Refuses a missing target, a bad UUID, and a label too small or as large as its NVDIMM.

    Follows: virDomainMemoryDefParseXML, virDomainMemoryTargetDefParseXML
    """
    target = memory.target
    if target is None:
        raise malformed("<target> is missing", memory)
    if memory.uuid is not None:
        try:
            uuid(memory.uuid)
        except ValueError as error:
            raise malformed(str(error), memory) from None
    label = kib(target.label.size) if target.label is not None and memory.model == "nvdimm" else 0
    if label and label < _SMALLEST_LABEL_KIB:
        raise malformed(f"the label of an NVDIMM has at least {_SMALLEST_LABEL_KIB} KiB", memory)
    if memory.model == "nvdimm" and label >= kib(target.size):
        raise malformed("the label of an NVDIMM is smaller than the NVDIMM", memory)


_MEMORY_FLAGS = {
    "dimm": "pc-dimm",
    "nvdimm": "nvdimm",
    "virtio-pmem": "virtio-pmem-pci",
    "virtio-mem": "virtio-mem-pci",
    "sgx-epc": "sgx-epc",
}


def refuse(memory: Memory, guest: Guest) -> None:
    """What holds for a memory device under any hypervisor.

    Follows: virDomainMemoryDefValidate
    """
    target = memory.target
    node = target.node if target is not None else None
    if node is not None:
        if not guest.cells:
            raise Refused("a memory device belongs to a NUMA node, and the guest has none", memory)
        if node >= len(guest.cells):
            raise Refused(
                f"a memory device belongs to node {node}, and the guest has {len(guest.cells)}", memory
            )
    if (check := _MODELS.get(memory.model)) is not None:
        check(memory, guest)


def _need_path(memory: Memory) -> None:
    if memory.source is None or memory.source.path is None:
        raise Refused(f"memory of model '{memory.model}' needs <source><path>", memory)
    if memory.discard:
        raise unsupported(f"memory of model '{memory.model}' cannot be discarded", memory)


def _check_virtio_pmem(memory: Memory, _guest: Guest) -> None:
    _need_path(memory)
    if memory.access != "shared":
        raise unsupported("memory of model 'virtio-pmem' needs access='shared'", memory)
    if memory.target is not None and memory.target.node is not None:
        raise unsupported("memory of model 'virtio-pmem' belongs to no node", memory)


def _check_sgx(memory: Memory, _guest: Guest) -> None:
    if memory.address is not None:
        raise unsupported("memory of model 'sgx-epc' has no address", memory)


def _check_nvdimm(memory: Memory, guest: Guest) -> None:
    _need_path(memory)
    if not guest.is_ppc64:
        if memory.uuid is not None:
            raise unsupported(f"an NVDIMM has no UUID on architecture '{guest.arch}'", memory)
        return
    label = memory.target.label if memory.target is not None else None
    if label is None or not kib(label.size):
        raise unsupported(f"an NVDIMM needs a <label> on architecture '{guest.arch}'", memory)


def _check_virtio_mem(memory: Memory, guest: Guest) -> None:
    target = memory.target
    size, block, requested = (
        (kib(target.size), kib(target.block), kib(target.requested)) if target is not None else (0, 0, 0)
    )
    if requested > size:
        raise Refused(f"<requested> is above the size of {size} KiB", memory)
    if block & (block - 1):
        raise Refused(f"<block> of {block} KiB is no power of two", memory)
    if block < guest.host.huge_page_kib:
        raise Refused(f"<block> of {block} KiB is below {guest.host.huge_page_kib} KiB", memory)
    if requested % block:
        raise Refused(f"<requested> is no multiple of the block of {block} KiB", memory)


_MODELS: dict[str, Callable[[Memory, Guest], None]] = {
    "nvdimm": _check_nvdimm,
    "virtio-pmem": _check_virtio_pmem,
    "virtio-mem": _check_virtio_mem,
    "sgx-epc": _check_sgx,
}


def refuse_by_qemu(memory: Memory, guest: Guest, caps: Capabilities) -> None:
    """Which models this QEMU, and for SGX this host, has.

    Follows: qemuValidateDomainDeviceDefMemory
    """
    need(caps, _MEMORY_FLAGS[memory.model], f"memory of model '{memory.model}'", memory)
    target, source = memory.target, memory.source
    if target is not None and target.dynamic_memslots:
        need(caps, "virtio-mem-pci.dynamic-memslots", "dynamicMemslots", memory)
    if memory.model == "nvdimm" and target is not None and target.readonly:
        need(caps, "nvdimm.unarmed", "a read-only NVDIMM", memory)
    if memory.model != "sgx-epc":
        return
    sections = guest.host.sgx_sections_kib
    if not sections:
        raise unsupported("this host has no SGX memory", memory)
    size = kib(target.size) if target is not None else 0
    mask = source.nodemask if source is not None else None
    for node in each(cpuset(mask)) if mask is not None else (0,):
        have = sections[node] if node < len(sections) else 0
        if size > have:
            raise unsupported(f"host node {node} has {have} KiB of SGX memory, fewer than {size}", memory)
