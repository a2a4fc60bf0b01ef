"""`<memory>` devices, TPMs and I/O MMUs: what hangs on the machine and on the host."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcaps.domain.memory import kib
from qcaps.domain.syntax import cpuset
from qcaps.rules.refusal import Refused
from qcaps.rules.shared.guest import address_type
from qcaps.rules.shared.refuse import malformed, need, unsupported

if TYPE_CHECKING:
    from collections.abc import Callable

    from qcaps.capabilities.model import Capabilities
    from qcaps.domain.devices import Iommu, Memory, Tpm
    from qcaps.rules.shared.guest import Guest

_MEMORY_FLAGS = {
    "dimm": "pc-dimm",
    "nvdimm": "nvdimm",
    "virtio-pmem": "virtio-pmem-pci",
    "virtio-mem": "virtio-mem-pci",
    "sgx-epc": "sgx-epc",
}

_TPM_MODEL_FLAGS = {
    "tpm-tis": "tpm-tis",
    "tpm-crb": "tpm-crb",
    "tpm-spapr": "tpm-spapr",
    "spapr-tpm-proxy": "spapr-tpm-proxy",
}

_IOMMU_OPTIONS = {
    "intremap": "intel-iommu.intremap",
    "caching_mode": "intel-iommu.caching-mode",
    "eim": "intel-iommu.eim",
    "iotlb": "intel-iommu.device-iotlb",
    "aw_bits": "intel-iommu.aw-bits",
}
"""Options of the I/O MMU's `<driver>`, and the flag each needs."""


# ── memory ─────────────────────────────────────────────────────────────────────────────────────────


def check_memory(memory: Memory, guest: Guest) -> None:
    """What holds for a memory device under any hypervisor."""
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


def check_qemu_memory(memory: Memory, guest: Guest, caps: Capabilities) -> None:
    """Which models this QEMU, and for SGX this host, has."""
    need(caps, _MEMORY_FLAGS[memory.model], f"memory of model '{memory.model}'", memory)
    target, source = memory.target, memory.source
    if memory.model == "nvdimm" and target is not None and target.readonly:
        need(caps, "nvdimm.unarmed", "a read-only NVDIMM", memory)
    if memory.model != "sgx-epc":
        return
    sections = guest.host.sgx_sections_kib
    if not sections:
        raise unsupported("this host has no SGX memory", memory)
    size = kib(target.size) if target is not None else 0
    mask = source.nodemask if source is not None else None
    for node in sorted(cpuset(mask)) if mask is not None else (0,):
        have = sections[node] if node < len(sections) else 0
        if size > have:
            raise unsupported(f"host node {node} has {have} KiB of SGX memory, fewer than {size}", memory)


# ── TPM ────────────────────────────────────────────────────────────────────────────────────────────


def check_tpm(tpm: Tpm, _guest: Guest) -> None:
    """What holds for a TPM under any hypervisor."""
    backend = tpm.backend
    if backend is None:
        return
    if backend.type == "emulator" and backend.active_pcr_banks is not None and backend.version != "2.0":
        raise malformed("active_pcr_banks needs TPM version '2.0'", tpm)
    if backend.type == "external":
        source = backend.source
        if source is None or source.type != "unix":
            raise malformed("an external TPM has a source of type 'unix'", tpm)
        if source.mode == "bind":
            raise malformed("an external TPM is connected to, in mode 'connect'", tpm)
        if source.path is None:
            raise malformed("an external TPM needs <source path=…>", tpm)


def check_qemu_tpm(tpm: Tpm, guest: Guest, caps: Capabilities) -> None:
    """Backend and model against QEMU, the machine, and the host's swtpm."""
    backend = tpm.backend
    kind = backend.type if backend is not None else None
    if backend is not None and kind == "emulator":
        if backend.version not in guest.host.swtpm_versions:
            raise unsupported(f"TPM version '{backend.version}' is not supported (needs swtpm)", tpm)
        if backend.version == "1.2" and (tpm.model in ("tpm-crb", "tpm-spapr") or guest.is_arm_virt):
            raise unsupported(
                f"TPM version '1.2' does not go with model '{tpm.model}' for {guest.where}", tpm
            )
    emulated = "tpm-emulator" in caps.flags and guest.host.swtpm_versions
    if not ("tpm-passthrough" in caps.flags if kind == "passthrough" else emulated):
        raise unsupported(f"TPM backend '{kind}' is not supported by QEMU on this host", tpm)
    if guest.is_ppc64 and tpm.model == "spapr-tpm-proxy" and kind != "passthrough":
        raise unsupported("a TPM proxy needs backend 'passthrough'", tpm)
    need(caps, _TPM_MODEL_FLAGS[tpm.model or "tpm-tis"], f"TPM model '{tpm.model}'", tpm)


# ── I/O MMU ────────────────────────────────────────────────────────────────────────────────────────


def check_iommu(iommu: Iommu, _guest: Guest) -> None:
    """What holds for an I/O MMU under any hypervisor."""
    options = _iommu_options(iommu)
    if iommu.model in ("smmuv3", "virtio") and any(options[name] is not None for name in options):
        raise malformed(f"an I/O MMU of model '{iommu.model}' has no options", iommu)
    if iommu.model in ("smmuv3", "intel") and iommu.address is not None:
        raise malformed(f"an I/O MMU of model '{iommu.model}' has no address", iommu)


def _iommu_options(iommu: Iommu) -> dict[str, object]:
    given = {} if iommu.driver is None else iommu.driver.__dict__
    options = {name: given.get(name) for name in _IOMMU_OPTIONS}
    options["aw_bits"] = options["aw_bits"] or None
    return options


def check_qemu_iommu(iommu: Iommu, guest: Guest, caps: Capabilities) -> None:
    """The model against the machine, and the options against this QEMU."""
    model = iommu.model
    needs, flags = {
        "intel": (guest.is_q35, ("intel-iommu",)),
        "smmuv3": (guest.is_arm_virt, ("machine.virt.iommu",)),
        "virtio": (guest.is_q35 or guest.is_arm_virt, ("virtio-iommu-pci", "virtio-iommu.boot-bypass")),
    }[model]
    if not needs:
        raise unsupported(f"there is no I/O MMU of model '{model}' for {guest.where}", iommu)
    for flag in flags:
        need(caps, flag, f"an I/O MMU of model '{model}'", iommu)
    if model == "virtio":
        if not guest.acpi:
            raise unsupported("an I/O MMU of model 'virtio' needs <acpi/>", iommu)
        if address_type(iommu) not in (None, "pci"):
            raise unsupported("an I/O MMU of model 'virtio' takes a PCI address", iommu)
    for name, value in _iommu_options(iommu).items():
        if value is not None:
            need(caps, _IOMMU_OPTIONS[name], f"{name} of the I/O MMU", iommu)
