"""`<controller>` of every type but PCI, whose options have rules of their own (refuse_pci)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcaps.rules.devices.controller.refuse_pci import check_pci, check_qemu_pci
from qcaps.rules.shared.guest import address_type
from qcaps.rules.shared.refuse import need, unsupported
from qcaps.rules.shared.virtio import VIRTIO_MODELS

if TYPE_CHECKING:
    from collections.abc import Callable

    from qcaps.capabilities.model import Capabilities
    from qcaps.domainxml.devices import Controller
    from qcaps.rules.shared.guest import Guest

# Follows: qemuValidateCheckSCSIControllerModel
_SCSI_FLAGS = {
    "lsilogic": "lsi",
    "virtio-scsi": "virtio-scsi-pci",
    "virtio-transitional": "virtio-scsi-pci",
    "virtio-non-transitional": "virtio-scsi-pci",
    "ibmvscsi": None,
    "lsisas1068": "mptsas1068",
    "lsisas1078": "megasas",
    "vmpvscsi": "pvscsi",
    # as libvirt: it reports a missing flag of these three and accepts the domain all the same
    "ncr53c90": None,
    "dc390": None,
    "am53c974": None,
}
"""The flag that each SCSI model needs; models that QEMU never had are not here."""

_VIRTIO_SCSI = VIRTIO_MODELS | {"virtio-scsi"}
_VIRTIO_SCSI_OPTIONS = ("queues", "cmd_per_lun", "max_sectors", "ioeventfd", "iothread")


def refuse(controller: Controller, guest: Guest) -> None:
    """What holds for a controller under any hypervisor.

    Follows: virDomainControllerDefValidate
    """
    if controller.type == "pci":
        check_pci(controller, guest)


def refuse_by_qemu(controller: Controller, guest: Guest, caps: Capabilities) -> None:
    """What QEMU, or this QEMU, cannot do with a controller.

    Follows: qemuValidateDomainDeviceDefController, qemuValidateDomainDeviceDefControllerAttributes
    """
    driver = controller.driver
    if driver is not None and not (controller.type == "scsi" and controller.model in _VIRTIO_SCSI):
        for name in _VIRTIO_SCSI_OPTIONS:
            value = getattr(driver, name)
            if value or value is False:  # a switch counts when it is off, too
                raise unsupported(f"{name} is for controllers of model 'virtio-scsi'", controller)
    if driver is not None and driver.iothreads is not None:
        need(caps, "virtio-scsi.iothread-mapping", "<iothreads> of a controller", controller)
    if (check := _TYPES.get(controller.type)) is not None:
        check(controller, guest, caps)


# Follows: qemuValidateDomainDeviceDefControllerIDE
def _check_ide(controller: Controller, guest: Guest, _caps: Capabilities) -> None:
    if not guest.has_ide:
        raise unsupported(f"machine type '{guest.machine}' has no IDE controller", controller)
    if controller.index:
        raise unsupported(f"machine type '{guest.machine}' has a single IDE controller", controller)


# Follows: qemuValidateDomainDeviceDefControllerSATA
def _check_sata(controller: Controller, guest: Guest, caps: Capabilities) -> None:
    if controller.index or not guest.is_q35:
        need(caps, "ich9-ahci", "a SATA controller", controller)


# Follows: qemuValidateDomainDeviceDefControllerSCSI, qemuValidateCheckSCSIControllerIOThreads
def _check_scsi(controller: Controller, guest: Guest, caps: Capabilities) -> None:
    model = controller.model
    if model not in _SCSI_FLAGS:
        raise unsupported(f"QEMU has no SCSI controller '{model}'", controller)
    if (flag := _SCSI_FLAGS[model]) is not None:
        need(caps, flag, f"SCSI controller '{model}'", controller)
    if model == "ncr53c90":
        if controller.index:
            raise unsupported("an ncr53c90 can only be the first SCSI controller", controller)
        if not guest.has_esp:
            raise unsupported(f"machine type '{guest.machine}' has no ncr53c90", controller)
    iothread = controller.driver.iothread if controller.driver is not None else None
    if not iothread:
        return
    if address_type(controller) not in (None, "pci", "ccw"):
        raise unsupported("a controller with an iothread sits on PCI or CCW", controller)
    if iothread not in guest.iothreads:
        raise unsupported(f"iothread {iothread} is not among <iothreadids>", controller)


_TYPES: dict[str, Callable[[Controller, Guest, Capabilities], None]] = {
    "ide": _check_ide,
    "sata": _check_sata,
    "scsi": _check_scsi,
    "pci": check_qemu_pci,
}
"""What each type of controller has to answer."""
