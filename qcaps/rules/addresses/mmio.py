"""Memory-mapped virtio, on ARM and RISC-V boards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcaps.domainxml.address import VirtioMmioAddress
from qcaps.domainxml.codec import evolve
from qcaps.domainxml.devices import Controller
from qcaps.rules.addresses.order import addressed
from qcaps.rules.addresses.prime import virtio_without_address
from qcaps.rules.machine import is_arm_virt, is_riscv_virt

if TYPE_CHECKING:
    from qcaps.capabilities.model import Capabilities
    from qcaps.domainxml.domain import Domain
    from qcaps.rules.draft import Draft

_MMIO = VirtioMmioAddress()
_ARM = frozenset({"armv6l", "armv7l", "aarch64"})


def assign_mmio(draft: Draft, caps: Capabilities) -> None:
    """Puts virtio devices without an address on virtio-mmio, unless the domain can have them on PCI.

    Follows: qemuDomainAssignVirtioMMIOAddresses
    """
    if not _has_mmio(draft.domain) or "virtio-mmio" not in caps or _prefers_pci(draft, caps):
        return
    for devices, index in virtio_without_address(draft, ccw=False):
        devices[index] = evolve(devices[index], address=_MMIO)


def _has_mmio(domain: Domain) -> bool:
    vexpress = domain.arch in _ARM and (domain.machine or "").startswith("vexpress-")
    return vexpress or is_arm_virt(domain) or is_riscv_virt(domain)


def _prefers_pci(draft: Draft, caps: Capabilities) -> bool:
    """A domain that has one device on virtio-mmio already keeps to it."""
    if "pcie-root-port" not in caps and "ioh3420" not in caps:
        return False
    root = next((one for one in draft.of(Controller) if one.type == "pci" and not one.index), None)
    if root is None or root.model != "pcie-root":
        return False
    return not any(type(device.address) is VirtioMmioAddress for _, _, device in addressed(draft))
