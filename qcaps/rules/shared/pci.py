"""How devices connect to PCI: three families, and what each means in a domain."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from qcaps.domainxml.devices.on_host import HostPciAddress
from qcaps.rules.addresses.pci import flags as f
from qcaps.rules.shared.refuse import malformed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qcaps.domainxml.address import PciAddress
    from qcaps.domainxml.codec import Element
    from qcaps.domainxml.devices import Interface


class Ways(NamedTuple):
    """How the three families of devices connect in this domain."""

    pci: int
    pcie: int
    virtio: int


PCI, PCIE, VIRTIO = range(3)
"""Indices into Ways."""

VIRTIO_WAYS = {
    "": VIRTIO,  # no model given
    "default": VIRTIO,
    "virtio": VIRTIO,
    "virtio-non-transitional": VIRTIO,
    "virtio-transitional": PCI,  # needs an I/O port, which only a conventional slot is sure to have
}
"""How each model of a virtio device connects."""


def ways(*, express: bool, virtio_express: bool) -> Ways:
    """The ways of a domain whose root is pcie-root (`express`) and of its QEMU.

    Follows: qemuDomainFillDevicePCIConnectFlagsIterInit
    """
    pci = f.PCI | f.AUTOASSIGN
    pcie = f.PCIE | f.AUTOASSIGN if express else pci
    return Ways(pci, pcie, pcie if virtio_express else pci)


def by_model(models: Mapping[str, int], model: str | None, way: Ways) -> int:
    """The flags of a device of that model; 0 for a model that is not in `models`."""
    found = models.get(model or "")
    return 0 if found is None else way[found]


def hosts_pci(interface: Interface) -> bool:
    """Whether an interface of type hostdev passes a PCI device through (rather than a USB one)."""
    return interface.source is not None and isinstance(interface.source.host_address, HostPciAddress)


def check_pci_numbers(address: PciAddress | HostPciAddress, device: Element) -> None:
    """Refuses a bus, slot or function that is too high.

    Follows: virPCIDeviceAddressIsValid
    """
    if (address.bus or 0) > 0xFF:  # noqa: PLR2004  # as libvirt spells it
        raise malformed(f"PCI address: bus {address.bus:#x} is above 0xFF", device)
    if (address.slot or 0) > 0x1F:  # noqa: PLR2004  # as libvirt spells it
        raise malformed(f"PCI address: slot {address.slot:#x} is above 0x1F", device)
    # a function alone is no address yet, and is not looked at
    there = address.domain or address.bus or address.slot
    if there and (address.function or 0) > 7:  # noqa: PLR2004  # as libvirt spells it
        raise malformed(f"PCI address: function {address.function:#x} is above 7", device)
