"""`<controller>`: the record of its kind; its alias, and what each model plugs into."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcaps.domainxml.devices import Controller
from qcaps.rules.addresses.pci import flags as f
from qcaps.rules.devices.controller.complete import complete, read
from qcaps.rules.devices.controller.refuse import refuse, refuse_by_qemu
from qcaps.rules.kind import Kind, Pci
from qcaps.rules.machine import has_builtin_ide, has_named_pci_buses, is_q35
from qcaps.rules.shared.pci import PCI, PCIE, VIRTIO, VIRTIO_WAYS, Ways, by_model

if TYPE_CHECKING:
    from collections import Counter

    from qcaps.rules.shared.alias import Surroundings

_PCI_MODELS = {
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
    PCI,
) | {"nec-xhci": PCIE, "qemu-xhci": PCIE}  # fmt: skip
_SCSI = dict.fromkeys(
    (
        "auto", "buslogic", "lsilogic", "lsisas1068", "vmpvscsi", "ibmvscsi", "lsisas1078", "dc390",
        "am53c974", "virtio-transitional",
    ),
    PCI,
) | {"virtio-scsi": VIRTIO, "virtio-non-transitional": VIRTIO}  # fmt: skip
_CONTROLLER_MODELS = {
    "usb": _USB,
    "scsi": _SCSI,
    "virtio-serial": VIRTIO_WAYS,
}
_ROOTS = ("pci-root", "pcie-root")


# Follows: qemuDomainDeviceCalculatePCIConnectFlags
def _flags(controller: Controller, way: Ways) -> int:
    if controller.type == "pci":
        return _PCI_MODELS.get(controller.model or "", 0)
    if controller.type in ("sata", "ide"):
        return way.pci
    return by_model(_CONTROLLER_MODELS.get(controller.type, {}), controller.model, way)


# Follows: qemuDomainAssignDevicePCISlots
def _wants(device: Controller) -> bool:
    # the first IDE controller and the ESP are parts of the board, a floppy controller is an ISA device and
    # a smartcard controller a USB one
    return not (
        device.type in ("fdc", "ccid")
        or (device.type == "pci" and device.model in _ROOTS)
        or (device.type == "usb" and device.model == "none")
        or (device.type == "ide" and not device.index)
        or (device.type == "scsi" and device.model == "ncr53c90")
    )


# Follows: qemuAssignDeviceControllerAlias
def _alias(given: Surroundings, controller: Controller, _counted: Counter[str], _place: int) -> str:
    index = controller.index or 0
    if controller.type == "pci":
        name = "pcie" if controller.model == "pcie-root" else "pci"
        return f"{name}.{index}" if has_named_pci_buses(given.domain) else "pci"
    if index == 0:
        if controller.type == "ide" and has_builtin_ide(given.domain):
            return "ide"
        if controller.type == "sata" and is_q35(given.domain):
            return "ide"
        if controller.type == "usb":
            return "usb"
        if controller.type == "scsi" and controller.model == "ncr53c90":
            return "scsi"
    return f"{controller.type}{index}"


CONTROLLER = Kind(
    Controller,
    read=read,
    complete=complete,
    refuse=refuse,
    refuse_by_qemu=refuse_by_qemu,
    pci=Pci(flags=_flags, wants=_wants),
    on_virtio_bus=lambda controller: controller.type in ("virtio-serial", "scsi"),
    alias=_alias,
)
