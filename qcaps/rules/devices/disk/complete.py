"""Disks: driver, format, bus, the place that the name stands for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qcaps.domainxml.address import DriveAddress
from qcaps.domainxml.codec import evolve
from qcaps.domainxml.devices import Disk
from qcaps.domainxml.devices.disk import DiskDriver, DiskTarget
from qcaps.release import R9_0, R12_8, since
from qcaps.rules.refusal import Refused
from qcaps.rules.shared.names import disk_number
from qcaps.rules.shared.state import NARROW_SCSI_UNITS

if TYPE_CHECKING:
    from qcaps.domainxml.devices.disk import DiskIotune
    from qcaps.domainxml.devices.disksource import DiskSource
    from qcaps.release import Since
    from qcaps.rules.shared.state import State

_BUSES: Final = {"hd": "ide", "sd": "scsi", "vd": "virtio", "xv": "xen", "ub": "uml"}
"""The bus that the first letters of a disk's name stand for."""

_RAW: Final = DiskDriver(name="qemu", type="raw")
_OF_A_POOL: Final = DiskDriver(name="qemu")
_PLACE: Final = DriveAddress(type="drive", controller=0, bus=0, target=0, unit=0)

_USB_MODELS: Final[Since[bool]] = {R9_0: False, R12_8: True}
"""Whether a disk on USB has a model."""


def complete(state: State, disk: Disk) -> Disk:
    """The driver is QEMU, the format raw, CD-ROMs are read-only; the name decides bus and place.

    Follows: qemuDomainDeviceDiskDefPostParse, virDomainDiskDefPostParse
    """
    changes: dict[str, Any] = {"driver": _with_defaults(disk)}
    target = disk.target
    name = target.dev if target is not None else ""
    if name.startswith("ioemu:"):
        name = name.removeprefix("ioemu:")
        target = evolve(target or DiskTarget(dev=name), dev=name)
    bus = (target.bus if target is not None else None) or _bus(disk, name)
    if target is not None and (target.bus is None or target is not disk.target):
        changes["target"] = target = evolve(target, bus=bus)
    changes |= _writing(disk)
    if bus == "usb" and disk.model is None and since(_USB_MODELS, state.draft.release):
        changes["model"] = "usb-bot" if disk.device == "cdrom" and "usb-bot" in state.caps else "usb-storage"
    if disk.source is not None:
        changes["source"] = _complete_source(disk, disk.source)
    if disk.address is None and name:
        changes["address"] = _place(state, disk, name, bus)
    if disk.iotune is not None and disk.iotune.group_name and not _has_limits(disk.iotune):
        changes["iotune"] = _of_the_group(state, disk.iotune)
    return evolve(disk, **changes)


def _writing(disk: Disk) -> dict[str, Any]:
    """CD-ROMs are read-only; what is, and what another process serves, is left out of snapshots.

    Follows: virDomainDiskDefPostParse
    """
    readonly = disk.readonly or disk.device == "cdrom"
    changes: dict[str, Any] = {"readonly": True} if readonly else {}
    if disk.type == "vhostuser" and disk.snapshot is None and not readonly:
        changes["snapshot"] = "no"
    elif disk.snapshot == "no" and readonly:
        changes["snapshot"] = None
    return changes


# Follows: qemuDomainDeviceDiskDefPostParse
def _with_defaults(disk: Disk) -> DiskDriver:
    driver = disk.driver
    if driver is None:
        return _OF_A_POOL if disk.type == "volume" else _RAW
    if driver.name is None or (driver.type is None and disk.type != "volume"):
        kind = driver.type if driver.type is not None or disk.type == "volume" else "raw"
        return evolve(driver, name=driver.name or "qemu", type=kind)
    return driver


# Follows: virDomainDiskDefPostParse
def _bus(disk: Disk, name: str) -> str:
    return "fdc" if disk.device == "floppy" else _BUSES.get(name[:2], "ide")


# Follows: virDomainDiskDefPostParse, virDomainPostParseCheckISCSIPath
def _complete_source(disk: Disk, source: DiskSource) -> DiskSource:
    changes: dict[str, Any] = {}
    if disk.type == "network" and source.protocol == "iscsi" and source.name and "/" not in source.name:
        changes["name"] = f"{source.name}/0"
    if disk.type == "nvme" and source.managed is None:
        changes["managed"] = True
    return evolve(source, **changes) if changes else source


def _place(state: State, disk: Disk, name: str, bus: str) -> DriveAddress | None:
    """Two units on an IDE bus and two buses, two units on a floppy controller, six on SATA, seven on SCSI.

    Follows: virDomainDiskDefAssignAddress
    """
    number = disk_number(name)
    if number < 0:
        raise Refused(f"XML error: disk name '{name}' says nothing about a place, nor is there one", disk)
    match bus:
        case "ide":
            where = (number // 4, number % 4 // 2, number % 2)
        case "sata":
            where = (number // 6, 0, number % 6)
        case "fdc":
            where = (number // 2, 0, number % 2)
        case "scsi":
            where = (number // NARROW_SCSI_UNITS, 0, number % NARROW_SCSI_UNITS)
            if (where[0], 0, 0, where[2]) in state.scsi_hostdevs:
                raise Refused(f"unsupported configuration: a host device is where '{name}' belongs", disk)
        case _:
            return None
    return evolve(_PLACE, controller=where[0], bus=where[1], unit=where[2])


def _has_limits(limits: DiskIotune) -> bool:
    return any(value for name, value in limits.__dict__.items() if name not in ("line", "group_name"))


def _of_the_group(state: State, own: DiskIotune) -> DiskIotune:
    """Limits of another disk of the group, which all its members share.

    Follows: virDomainDiskExpandGroupIoTune
    """
    others = (one.iotune for one in state.draft.of(Disk))
    return next(
        (one for one in others if one is not None and one.group_name == own.group_name and _has_limits(one)),
        own,
    )
