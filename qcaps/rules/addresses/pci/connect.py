"""Which kind of PCI connection each device has; 0 for none.

A virtio device follows the root bus: Express on pcie-root, where QEMU can place it so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from qcaps.domain.devices import (
    Controller,
    Disk,
    Filesystem,
    Hostdev,
    Input,
    Interface,
    Iommu,
    Memballoon,
    Memory,
    Rng,
    Serial,
    Shmem,
    Sound,
    Video,
    Vsock,
    Watchdog,
)
from qcaps.domain.devices.host import HostPciAddress
from qcaps.rules.addresses.pci import flags as f

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from qcaps.domain.device import Device


class Ways(NamedTuple):
    """How the three families of devices connect in this domain."""

    pci: int
    pcie: int
    virtio: int


_PCI, _PCIE, _VIRTIO = range(3)  # indices into Ways


def ways(*, express: bool, virtio_express: bool) -> Ways:
    """The ways of a domain whose root is pcie-root (`express`) and of its QEMU."""
    pci = f.PCI | f.AUTOASSIGN
    pcie = f.PCIE | f.AUTOASSIGN if express else pci
    return Ways(pci, pcie, pcie if virtio_express else pci)


def connection(device: Device, way: Ways) -> int:
    """The flags of one device."""
    rule = _RULES.get(type(device))
    return 0 if rule is None else rule(device, way)


_VIRTIO_MODELS = {
    "": _VIRTIO,  # no model given
    "default": _VIRTIO,
    "virtio": _VIRTIO,
    "virtio-non-transitional": _VIRTIO,
    "virtio-transitional": _PCI,  # needs an I/O port, which only a conventional slot is sure to have
}

PCI_CONTROLLERS = {
    "pci-bridge": f.PCI_BRIDGE,
    "pci-expander-bus": f.EXPANDER,
    "pcie-expander-bus": f.PCIE_EXPANDER,
    "dmi-to-pci-bridge": f.DMI_BRIDGE,
    "pcie-to-pci-bridge": f.PCIE_BRIDGE,
    "pcie-root-port": f.ROOT_PORT | f.SHARES_SLOT,
    "pcie-switch-upstream-port": f.UPSTREAM,
    "pcie-switch-downstream-port": f.DOWNSTREAM,
}
"""What each controller model plugs into; the roots are part of the machine."""

_USB = dict.fromkeys(
    (
        "", "ehci", "ich9-ehci1", "ich9-uhci1", "ich9-uhci2", "ich9-uhci3", "vt82c686b-uhci",
        "piix3-uhci", "piix4-uhci", "pci-ohci",
    ),
    _PCI,
) | {"nec-xhci": _PCIE, "qemu-xhci": _PCIE}  # fmt: skip
_SCSI = dict.fromkeys(
    (
        "auto", "buslogic", "lsilogic", "lsisas1068", "vmpvscsi", "ibmvscsi", "lsisas1078", "dc390",
        "am53c974", "virtio-transitional",
    ),
    _PCI,
) | {"virtio-scsi": _VIRTIO, "virtio-non-transitional": _VIRTIO}  # fmt: skip
_CONTROLLER_MODELS = {
    "usb": _USB,
    "scsi": _SCSI,
    "virtio-serial": _VIRTIO_MODELS,
}
_NIC = {
    "virtio": _VIRTIO,
    "virtio-non-transitional": _VIRTIO,
    "e1000e": _PCIE,
} | dict.fromkeys(
    (
        "virtio-transitional", "netfront", "rtl8139", "e1000", "spapr-vlan", "lan9118", "scm91c111", "vlance",
        "vmxnet", "vmxnet2", "vmxnet3", "Am79C970A", "Am79C973", "82540EM", "82545EM", "82543GC",
    ),
    _PCI,
)  # fmt: skip
_VIDEO = {
    "virtio": _VIRTIO,
    "bochs": _PCIE,
} | dict.fromkeys(("vga", "cirrus", "vmvga", "xen", "vbox", "qxl", "parallels"), _PCI)
_SOUND = dict.fromkeys(("es1370", "ac97", "ich6", "ich9"), _PCI)


def _controller(device: Controller, way: Ways) -> int:
    if device.type == "pci":
        return PCI_CONTROLLERS.get(device.model or "", 0)
    if device.type in ("sata", "ide"):
        return way.pci
    return _by(_CONTROLLER_MODELS.get(device.type, {}), device.model, way)


def _filesystem(device: Filesystem, way: Ways) -> int:
    driver = None if device.driver is None else device.driver.type
    if driver == "virtiofs":
        return way.virtio
    return _by(_VIRTIO_MODELS, device.model, way) if driver in (None, "path", "handle") else 0


def _interface(device: Interface, way: Ways) -> int:
    if device.type == "hostdev":
        return way.pcie if hosts_pci(device) else 0
    model = None if device.model is None else device.model.type
    if model == "usb-net":
        return 0
    # a model libvirt does not know is some device of the host, which will be Express
    return way[_NIC.get(model or "", _PCIE)]


def hosts_pci(device: Interface) -> bool:
    """Whether an interface of type hostdev passes a PCI device through (rather than a USB one)."""
    return device.source is not None and isinstance(device.source.host_address, HostPciAddress)


def _hostdev(device: Hostdev, way: Ways) -> int:
    """The host is not asked whether a PCI device is Express; libvirt takes one it does not find for that."""
    if device.mode != "subsystem":
        return 0
    if device.type == "scsi_host":
        return _by(_VIRTIO_MODELS, device.model, way)
    return way.pcie if device.type in ("pci", "mdev") else 0


def _iommu(device: Iommu, way: Ways) -> int:
    return way.virtio | f.INTEGRATED if device.model == "virtio" else 0


def _by(models: Mapping[str, int], model: str | None, way: Ways) -> int:
    found = models.get(model or "")
    return 0 if found is None else way[found]


_RULES: dict[type[Device], Callable[[Any, Ways], int]] = {
    Controller: _controller,
    Disk: lambda device, way: (
        _by(_VIRTIO_MODELS, device.model, way) if device.target and device.target.bus == "virtio" else 0
    ),
    Filesystem: _filesystem,
    Hostdev: _hostdev,
    Input: lambda device, way: _by(_VIRTIO_MODELS, device.model, way) if device.bus == "virtio" else 0,
    Interface: _interface,
    Iommu: _iommu,
    Memballoon: lambda device, way: _by(_VIRTIO_MODELS, device.model, way),
    Memory: lambda device, way: way.virtio if device.model in ("virtio-pmem", "virtio-mem") else 0,
    Rng: lambda device, way: _by(_VIRTIO_MODELS, device.model, way),
    Serial: lambda device, way: way.pci if device.target and device.target.type == "pci-serial" else 0,
    Shmem: lambda _device, way: way.pci,
    Sound: lambda device, way: _by(_SOUND, device.model, way),
    Video: lambda device, way: _by(_VIDEO, device.model.type if device.model else None, way),
    Vsock: lambda device, way: _by(_VIRTIO_MODELS, device.model, way),
    Watchdog: lambda device, way: way.pci if device.model == "i6300esb" else 0,
}
