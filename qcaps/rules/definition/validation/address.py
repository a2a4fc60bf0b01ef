"""The address every device has, its ROM and its ACPI index."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qcaps.domainxml.address import (
    CcwAddress,
    DriveAddress,
    PciAddress,
    SpaprVioAddress,
    UnassignedAddress,
    VirtioS390Address,
)
from qcaps.domainxml.devices import Disk, Hostdev
from qcaps.rules.shared.refuse import internal, malformed, need, unsupported

if TYPE_CHECKING:
    from collections.abc import Callable

    from qcaps.capabilities.model import Capabilities
    from qcaps.domainxml.device import Device
    from qcaps.rules.shared.guest import Guest

_LARGEST_UID = 0xFFFF
_LARGEST_REG = 0xFFFFFFFF
_LARGEST_TARGET = 7


def check_address(device: Device) -> None:
    """Refuses an address of type 'unassigned' but for host devices.

    Follows: virDomainDeviceInfoValidate
    """
    address = device.address
    if type(address) is UnassignedAddress and type(device) is not Hostdev:
        raise unsupported("an address of type 'unassigned' is for host devices", device)


def check_qemu_address(device: Device, guest: Guest, caps: Capabilities) -> None:
    """The address against the machine and this QEMU; where ROM and ACPI index make sense.

    Follows: qemuValidateDomainDeviceInfo, qemuValidateDomainDeviceDefAddress
    """
    address = device.address
    if address is not None and (check := _ADDRESSES.get(type(address))) is not None:
        check(device, address, guest, caps)
    if device.acpi is None and device.rom is None:
        return
    kind = None if address is None else address.type
    if device.acpi is not None and device.acpi.index:
        need(caps, "acpi-index", "an ACPI index", device)
        if kind not in (None, "pci"):
            raise unsupported("an ACPI index is for PCI devices", device)
    rom = device.rom
    tuned = rom is not None and (rom.enabled is not None or rom.bar is not None or rom.file is not None)
    if tuned and kind not in (None, "pci", "unassigned"):
        raise unsupported("<rom> is for PCI devices", device)


# Follows: qemuValidateDomainDeviceDefZPCIAddress
def _check_pci(device: Device, address: PciAddress, _guest: Guest, caps: Capabilities) -> None:
    zpci = address.zpci
    if zpci is None or (zpci.uid is None and zpci.fid is None):
        return
    need(caps, "zpci", "zPCI", device)
    if zpci.uid is not None and not 0 < zpci.uid <= _LARGEST_UID:
        raise malformed(f"uid {zpci.uid:#x} is not between 0x1 and {_LARGEST_UID:#x}", device)


def _check_ccw(device: Device, _address: CcwAddress, guest: Guest, _caps: Capabilities) -> None:
    if not guest.is_s390_ccw:
        raise unsupported(f"there is no CCW for {guest.where}", device)


def _check_spapr(device: Device, address: SpaprVioAddress, _guest: Guest, _caps: Capabilities) -> None:
    if (address.reg or 0) > _LARGEST_REG:
        raise unsupported(f"reg {address.reg:#x} is above {_LARGEST_REG:#x}", device)


def _check_virtio_s390(
    device: Device, _address: VirtioS390Address, _guest: Guest, _caps: Capabilities
) -> None:
    raise unsupported("there are no longer addresses of type 'virtio-s390'", device)


# Follows: qemuValidateDomainDeviceDefAddressDrive
def _check_drive(device: Device, address: DriveAddress, guest: Guest, caps: Capabilities) -> None:
    # whatever has a drive address and is no disk is a SCSI device of the host
    bus = (device.target.bus if device.target is not None else None) if isinstance(device, Disk) else "scsi"
    controller, at, target = address.controller or 0, address.bus or 0, address.target or 0
    if bus == "scsi":
        if at:
            raise internal("a SCSI controller has one bus, 0", device)
        # a device may be added before its controller is
        if controller in guest.scsi_models:
            _check_scsi_target(device, target, guest.scsi_models[controller], caps)
    elif bus in ("ide", "fdc"):
        if controller:
            raise internal(f"there is one {bus} controller, 0", device)
        if at and bus == "fdc":
            raise internal("there is one fdc bus, 0", device)
        if target:
            raise unsupported(f"target is 0 on an {bus} controller", device)
    elif bus == "sata" and (at or target):
        raise unsupported("bus and target are 0 on a sata controller", device)


def _check_scsi_target(device: Device, target: int, model: str | None, caps: Capabilities) -> None:
    if model == "lsilogic":
        if target:
            raise unsupported("target is 0 on a controller of model 'lsilogic'", device)
    elif target > _LARGEST_TARGET:
        need(caps, "scsi-disk.channel", f"target {target}, above {_LARGEST_TARGET}", device)


# each function takes the address it stands beside, which a dict cannot say
_ADDRESSES: dict[type, Callable[[Device, Any, Guest, Capabilities], None]] = {
    PciAddress: _check_pci,
    DriveAddress: _check_drive,
    CcwAddress: _check_ccw,
    SpaprVioAddress: _check_spapr,
    VirtioS390Address: _check_virtio_s390,
}
