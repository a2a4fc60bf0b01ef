"""The address every device has, its ROM and its ACPI index."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcaps.domain.address import CcwAddress, DriveAddress, PciAddress, SpaprVioAddress, VirtioS390Address
from qcaps.domain.devices import Disk, Hostdev
from qcaps.pipeline.validate.refuse import internal, malformed, need, unsupported

if TYPE_CHECKING:
    from qcaps.capabilities.model import Capabilities
    from qcaps.domain.device import Device
    from qcaps.pipeline.validate.guest import Guest

_LARGEST_UID = 0xFFFF
_LARGEST_REG = 0xFFFFFFFF
_LARGEST_TARGET = 7


def check_address(device: Device) -> None:
    """An address nobody sees is for host devices."""
    address = device.address
    if address is not None and address.type == "unassigned" and type(device) is not Hostdev:
        raise unsupported("an address of type 'unassigned' is for host devices", device)


def check_qemu_address(device: Device, guest: Guest, caps: Capabilities) -> None:
    """The address against the machine and this QEMU; where ROM and ACPI index make sense."""
    address = device.address
    if address is not None:
        if type(address) is PciAddress:
            if address.zpci is not None:
                _check_zpci(device, address, caps)
        elif type(address) is DriveAddress:
            _check_drive(device, address, guest, caps)
        elif type(address) is CcwAddress:
            if not guest.is_s390_ccw:
                raise unsupported(f"there is no CCW for {guest.where}", device)
        elif type(address) is SpaprVioAddress:
            if (address.reg or 0) > _LARGEST_REG:
                raise unsupported(f"reg {address.reg:#x} is above {_LARGEST_REG:#x}", device)
        elif type(address) is VirtioS390Address:
            raise unsupported("there are no longer addresses of type 'virtio-s390'", device)
    if device.acpi is None and device.rom is None:
        return
    kind = None if address is None else address.type
    if device.acpi is not None and device.acpi.index:
        need(caps, "acpi-index", "an ACPI index", device)
        if kind not in (None, "pci"):
            raise unsupported("an ACPI index is for PCI devices", device)
    rom = device.rom
    if rom is not None and (rom.enabled is not None or rom.bar is not None or rom.file is not None):
        if kind not in (None, "pci", "unassigned"):
            raise unsupported("<rom> is for PCI devices", device)


def _check_zpci(device: Device, address: PciAddress, caps: Capabilities) -> None:
    zpci = address.zpci
    if zpci is None or (zpci.uid is None and zpci.fid is None):
        return
    need(caps, "zpci", "zPCI", device)
    if zpci.uid is not None and not 0 < zpci.uid <= _LARGEST_UID:
        raise malformed(f"uid {zpci.uid:#x} is not between 0x1 and {_LARGEST_UID:#x}", device)


def _check_drive(device: Device, address: DriveAddress, guest: Guest, caps: Capabilities) -> None:
    # whatever has a drive address and is no disk is a SCSI device of the host
    bus = (device.target.bus if device.target is not None else None) if type(device) is Disk else "scsi"
    controller, at, target = address.controller or 0, address.bus or 0, address.target or 0
    if bus == "scsi":
        if at:
            raise internal("a SCSI controller has one bus, 0", device)
        _check_scsi_target(device, target, guest.scsi_models.get(controller, _NONE), caps)
    elif bus in ("ide", "fdc"):
        if controller:
            raise internal(f"there is one {bus} controller, 0", device)
        if at and bus == "fdc":
            raise internal("there is one fdc bus, 0", device)
        if target:
            raise unsupported(f"target is 0 on an {bus} controller", device)
    elif bus == "sata" and (at or target):
        raise unsupported("bus and target are 0 on a sata controller", device)


_NONE = "no controller"


def _check_scsi_target(device: Device, target: int, model: str | None, caps: Capabilities) -> None:
    # a device may be added before its controller is
    if model == _NONE:
        return
    if model == "lsilogic":
        if target:
            raise unsupported("target is 0 on a controller of model 'lsilogic'", device)
    elif target > _LARGEST_TARGET:
        need(caps, "scsi-disk.channel", f"target {target}, above {_LARGEST_TARGET}", device)
