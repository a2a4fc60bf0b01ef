"""`<memory>`: the record of its kind, and its alias."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcaps.domainxml.devices import Memory
from qcaps.rules.devices.memory.complete import complete, read
from qcaps.rules.devices.memory.refuse import refuse, refuse_by_qemu, refuse_read
from qcaps.rules.kind import Kind, Pci
from qcaps.rules.shared.alias import Surroundings, numbered

if TYPE_CHECKING:
    from collections import Counter

_VIRTIO_MODELS = ("virtio-pmem", "virtio-mem")
_MODULES = {"virtio-pmem": "virtiopmem", "virtio-mem": "virtiomem", "sgx-epc": "epc"}


# Follows: qemuAssignDeviceMemoryAlias
def _alias(_given: Surroundings, memory: Memory, counted: Counter[str], _place: int) -> str:
    if memory.model in _MODULES:
        return numbered(_MODULES[memory.model], counted)
    slot = getattr(memory.address, "slot", None)  # a module without an address takes slot 0
    return f"{memory.model}{slot or 0}"


MEMORY = Kind(
    Memory,
    refuse_read=refuse_read,
    read=read,
    complete=complete,
    refuse=refuse,
    refuse_by_qemu=refuse_by_qemu,
    pci=Pci(
        flags=lambda memory, way: way.virtio if memory.model in _VIRTIO_MODELS else 0,
        wants=lambda memory: memory.model in _VIRTIO_MODELS,
    ),
    on_virtio_bus=lambda memory: memory.model in _VIRTIO_MODELS,
    alias=_alias,
)
