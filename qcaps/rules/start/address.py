"""Where a device sits, as properties of `-device`: bus and address, port, slot …"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from qcaps.domainxml.address import (
    CcwAddress,
    DimmAddress,
    DriveAddress,
    IsaAddress,
    PciAddress,
    SpaprVioAddress,
    UsbAddress,
    VirtioSerialAddress,
)
from qcaps.domainxml.devices import Disk
from qcaps.rules.machine import has_builtin_ide, has_named_pci_buses, is_pseries, is_q35
from qcaps.rules.refusal import Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from qcaps.domainxml.device import Device
    from qcaps.domainxml.devices import Controller
    from qcaps.rules.start.argument import Properties
    from qcaps.rules.start.launch import Launch

_OWN_ID = ("lsilogic", "ncr53c90", "dc390", "am53c974")
"""SCSI controllers where a unit is a device of its own."""


def placed(launch: Launch, device: Device) -> Properties:
    """The properties that put `device` where its address says; none for an address QEMU chooses.

    Follows: qemuBuildDeviceAddressProps
    """
    place = _PLACES.get(type(device.address))
    return place(launch, device, device.address) if place else {}


def is_pci(device: Device) -> bool:
    """The device has a PCI address."""
    return isinstance(device.address, PciAddress)


def zpci(launch: Launch, device: Device) -> tuple[str, ...]:
    """`-device zpci` before the device itself, where s390 has PCI.

    Follows: qemuBuildZPCIDevProps
    """
    at = device.address
    if not isinstance(at, PciAddress) or at.zpci is None:
        return ()
    return launch.device(
        {
            "driver": "zpci",
            "uid": at.zpci.uid or 0,
            "fid": at.zpci.fid or 0,
            "target": launch.alias(device),
            "id": f"zpci{at.zpci.uid or 0}",
        }
    )


def rom(device: Device) -> Properties:
    """The properties of the option ROM.

    Follows: qemuBuildRomProps
    """
    given = device.rom
    if given is None or (given.bar is None and given.enabled is None and given.file is None):
        return {}
    if not is_pci(device):
        raise Refused("only a PCI device has an option ROM", device)
    if given.enabled is False:
        return {"romfile": ""}
    return {"rombar": None if given.bar is None else int(given.bar), "romfile": given.file}


def _pci(launch: Launch, device: Device, at: PciAddress) -> Properties:
    function = f".0x{at.function:x}" if at.function else ""
    return {
        "bus": _pci_bus(launch, device, at.bus or 0),
        "multifunction": at.multifunction,
        "addr": f"0x{at.slot or 0:x}{function}",
        "acpi-index": (device.acpi.index if device.acpi else None) or None,
    }


# Follows: qemuBuildDeviceAddressPCIGetBus
def _pci_bus(launch: Launch, device: Device, bus: int) -> str:
    controller = launch.controller("pci", bus, device)
    name = launch.alias(controller)
    if name.startswith("ua-"):  # the roots are on no command line, so their name is QEMU's
        if controller.model == "pci-root" and not is_pseries(launch.domain):
            return "pci.0" if has_named_pci_buses(launch.domain) else "pci"
        if controller.model == "pcie-root":
            return "pcie.0"
    target = controller.target
    is_bridge = controller.model == "pci-root" and is_pseries(launch.domain)
    return f"{name}.0" if is_bridge and target and target.index else name


def _usb(launch: Launch, device: Device, at: UsbAddress) -> Properties:
    return {
        "bus": f"{launch.alias(launch.controller('usb', at.bus or 0, device))}.0",
        "port": at.port or None,
    }


def _spapr_vio(_launch: Launch, _device: Device, at: SpaprVioAddress) -> Properties:
    return {"reg": at.reg or None}


def _ccw(_launch: Launch, _device: Device, at: CcwAddress) -> Properties:
    return {"devno": f"{at.cssid or 0:x}.{at.ssid or 0:x}.{at.devno or 0:04x}"}


def _isa(_launch: Launch, _device: Device, at: IsaAddress) -> Properties:
    return {"iobase": at.iobase or 0, "irq": at.irq or None}


def _dimm(_launch: Launch, _device: Device, at: DimmAddress) -> Properties:
    return {"slot": at.slot or 0, "addr": at.base or None}


def _virtio_serial(launch: Launch, device: Device, at: VirtioSerialAddress) -> Properties:
    controller = launch.controller("virtio-serial", at.controller or 0, device)
    return {"bus": f"{launch.alias(controller)}.{at.bus or 0}", "nr": at.port or 0}


# Follows: qemuBuildDeviceAddresDriveProps
def _drive(launch: Launch, device: Device, at: DriveAddress) -> Properties:
    bus = device.target.bus if isinstance(device, Disk) and device.target else "scsi"
    place = _DRIVES.get(bus or "")
    if place is None:
        raise Refused(f"a drive address says nothing on bus '{bus}'", device)
    return place(launch, device, at)


def _ide(launch: Launch, device: Device, at: DriveAddress) -> Properties:
    index = at.controller or 0
    builtin = has_builtin_ide(launch.domain)
    name = "ide" if builtin else launch.alias(launch.controller("ide", index, device))
    return {"bus": f"{name}.{at.bus or 0}", "unit": at.unit or 0}


def _sata(launch: Launch, device: Device, at: DriveAddress) -> Properties:
    index = at.controller or 0
    builtin = is_q35(launch.domain) and index == 0
    name = "ide" if builtin else launch.alias(launch.controller("sata", index, device))
    return {"bus": f"{name}.{at.unit or 0}"}


def _floppy(_launch: Launch, _device: Device, at: DriveAddress) -> Properties:
    return {"unit": at.unit or 0}


def _scsi(launch: Launch, device: Device, at: DriveAddress) -> Properties:
    controller: Controller = launch.controller("scsi", at.controller or 0, device)
    name = launch.alias(controller)
    if controller.model in _OWN_ID:
        return {"bus": f"{name}.{at.bus or 0}", "scsi-id": at.unit or 0}
    if controller.model is None:
        raise Refused(f"SCSI controller {controller.index or 0} has no model", controller)
    return {
        "bus": f"{name}.0",
        "channel": at.bus or 0,
        "scsi-id": at.target or 0,
        "lun": at.unit or 0,
    }


_DRIVES: dict[str, Callable[[Launch, Device, DriveAddress], Properties]] = {
    "ide": _ide,
    "sata": _sata,
    "fdc": _floppy,
    "scsi": _scsi,
}

_PLACES = cast(
    "dict[type, Callable[[Launch, Device, object], Properties]]",
    {
        PciAddress: _pci,
        UsbAddress: _usb,
        SpaprVioAddress: _spapr_vio,
        CcwAddress: _ccw,
        IsaAddress: _isa,
        DimmAddress: _dimm,
        DriveAddress: _drive,
        VirtioSerialAddress: _virtio_serial,
    },
)
