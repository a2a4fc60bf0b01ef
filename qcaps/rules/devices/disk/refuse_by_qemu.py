"""`<disk>`: what QEMU, or this QEMU, cannot do with one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from qcaps.release import R9_0, R11_3, R12_8, since
from qcaps.rules.devices.disk.refuse import DRIVE_BUSES
from qcaps.rules.devices.disk.tuning import check_throttle
from qcaps.rules.refusal import Refused
from qcaps.rules.shared.guest import address_type
from qcaps.rules.shared.refuse import internal, need, need_shared_memory, unsupported
from qcaps.rules.shared.storage import Storage, chain_of, check_openable, storage_of

if TYPE_CHECKING:
    from qcaps.capabilities.model import Capabilities
    from qcaps.domainxml.devices import Disk
    from qcaps.release import Release, Since
    from qcaps.rules.shared.guest import Guest

_TARGET_NAME = re.compile(r"(?:fd|hd|vd|sd|xvd|ubd)[a-z]*(\d*)")
_SERIAL = re.compile(r"[-A-Za-z0-9_ .+]*")
_RARE = frozenset({"geometry", "serial", "wwn", "vendor", "product", "iotune", "transient"})
"""Elements that most disks lack; a disk without them answers fewer questions."""


_PRODUCT_ON: Final[Since[tuple[str, ...]]] = {R9_0: (), R11_3: ("ide", "sata")}
"""Buses other than SCSI on which a disk may say what product it is."""
_GONE_PROTOCOLS: Final[Since[tuple[str, ...]]] = {R9_0: (), R12_8: ("vxhs",)}
_EMPTY_ON_USB: Final[Since[tuple[str | None, ...]]] = {
    R9_0: (None, "default"),
    R11_3: (),
    R12_8: ("usb-bot",),
}
"""The models of a drive on USB that may be without a medium."""


def refuse_by_qemu(disk: Disk, guest: Guest, caps: Capabilities) -> None:
    """What QEMU, or this QEMU, cannot do with a disk.

    Follows: qemuValidateDomainDeviceDefDisk
    """
    target, driver = disk.target, disk.driver
    if target is None or target.dev is None:
        raise Refused("<target dev=…> is missing", disk)
    name, bus, device = target.dev, target.bus, disk.device or "disk"
    storage = guest.storage.get(id(disk)) or storage_of(disk)
    if device != "disk" or not disk.__dict__.keys().isdisjoint(_RARE):
        _check_frontend(disk, bus, device, caps, guest.draft.release)
        _check_lun_frontend(disk, bus, caps)
        check_throttle(disk, guest)
        _check_transient(disk, guest, caps, storage)
    _check_bus(disk, bus, device, caps)
    if bus == "usb" and storage.empty and disk.model not in since(_EMPTY_ON_USB, guest.draft.release):
        raise unsupported("a disk on bus 'usb' cannot be empty", disk)
    _check_driver(disk, guest, caps, bus)
    if disk.shareable and not disk.readonly and storage.format != "raw":
        raise unsupported(f"the shared disk '{name}' needs format 'raw', not '{storage.format}'", disk)
    if driver is not None and driver.name not in (None, "qemu"):
        raise unsupported(f"QEMU has no disk driver '{driver.name}'", disk)
    _check_target_name(disk, name)
    gone = since(_GONE_PROTOCOLS, guest.draft.release)
    for one in chain_of(disk, storage):
        check_openable(one, caps)
        if one.protocol in gone:
            raise unsupported(f"this QEMU has no protocol '{one.protocol}'", disk)
    if storage.type == "vhostuser":
        need(caps, "vhost-user-blk", "a disk of type 'vhostuser'", disk)
        need_shared_memory(guest, caps, "vhostuser", disk)


def _check_target_name(disk: Disk, name: str) -> None:
    match = _TARGET_NAME.fullmatch(name)
    if match is None:
        raise unsupported(f"'{name}' is no name of a disk", disk)
    if int(match[1] or 0):
        raise unsupported(f"'{name}' is the name of a partition", disk)


# Follows: qemuValidateDomainDeviceDefDiskFrontend
def _check_frontend(disk: Disk, bus: str | None, device: str, caps: Capabilities, release: Release) -> None:
    geometry = disk.geometry
    if geometry is not None and geometry.cyls and geometry.heads and geometry.secs:
        if bus in ("usb", "sd"):
            raise unsupported(f"a disk on bus '{bus}' has no geometry", disk)
        if geometry.trans is not None and bus != "ide":
            raise unsupported(f"trans is for bus 'ide', not '{bus}'", disk)
    if device == "cdrom" and bus in ("virtio", "sd"):
        raise unsupported(f"a cdrom cannot be on bus '{bus}'", disk)
    _check_identity(disk, bus, caps, release)


# Follows: qemuValidateDomainDeviceDefDiskFrontend
def _check_identity(disk: Disk, bus: str | None, caps: Capabilities, release: Release) -> None:
    if disk.serial is not None:
        _check_serial(disk, disk.serial, bus)
    if disk.wwn is not None:
        if bus not in ("ide", "scsi"):
            raise unsupported(f"wwn is for bus 'ide' or 'scsi', not '{bus}'", disk)
        if bus == "ide":
            need(caps, "ide-drive.wwn", "wwn of an IDE disk", disk)
            # as libvirt: the flag of SCSI disks is asked for IDE disks, and not for SCSI disks
            need(caps, "scsi-disk.wwn", "wwn", disk)
    if disk.vendor is None and bus in since(_PRODUCT_ON, release):
        return
    if disk.vendor is not None or disk.product is not None:
        if bus != "scsi":
            raise unsupported(f"vendor and product are for bus 'scsi', not '{bus}'", disk)
        need(caps, "scsi-disk.wwn", "vendor or product", disk)


# Follows: qemuValidateDomainDeviceDefDiskFrontend, qemuValidateDomainDeviceDefDiskSerial
def _check_serial(disk: Disk, serial: str, bus: str | None) -> None:
    if bus == "sd":
        raise internal("a disk on bus 'sd' has no serial", disk)
    if bus == "scsi" and disk.device == "lun":
        raise unsupported("device='lun' on bus 'scsi' has no serial", disk)
    if not _SERIAL.fullmatch(serial):
        raise internal(f"the serial '{serial}' has characters that QEMU would misread", disk)


# Follows: qemuValidateDomainDeviceDefDiskFrontend
def _check_lun_frontend(disk: Disk, bus: str | None, caps: Capabilities) -> None:
    if disk.device != "lun":
        return
    if bus not in ("virtio", "scsi"):
        raise unsupported(f"device='lun' does not go with bus '{bus}'", disk)
    if bus == "scsi":
        need(caps, "scsi-block", "device='lun' on bus 'scsi'", disk)
    for name in ("wwn", "vendor", "product"):
        if getattr(disk, name) is not None:
            raise unsupported(f"{name} does not go with device='lun'", disk)


# Follows: qemuValidateDomainDeviceDefDiskFrontend
def _check_bus(disk: Disk, bus: str | None, device: str, caps: Capabilities) -> None:
    kind = address_type(disk)
    if disk.target is not None and disk.target.rotation_rate:
        if bus not in ("scsi", "ide", "sata") or device != "disk":
            raise internal("rotation_rate is for disks on scsi, ide or sata", disk)
        need(caps, "rotation-rate", "rotation_rate", disk)
    if disk.readonly and device == "disk" and bus in ("ide", "sata"):
        raise unsupported(f"a disk on bus '{bus}' cannot be read-only", disk)
    if bus in DRIVE_BUSES and kind != "drive":
        raise internal(f"a disk on bus '{bus}' takes an address of type 'drive', not '{kind}'", disk)
    if bus == "virtio" and disk.driver is not None and disk.driver.queue_size:
        need(caps, "virtio-blk.queue-size", "queue_size", disk)
    if bus == "usb":
        need(caps, "usb-storage", "a disk on bus 'usb'", disk)
        if kind not in (None, "usb"):
            raise internal(f"a disk on bus 'usb' takes an address of type 'usb', not '{kind}'", disk)
        if disk.target is not None and disk.target.removable is not None:
            need(caps, "usb-storage.removable", "removable", disk)


# Follows: qemuValidateDomainDeviceDefDiskFrontend, qemuValidateDomainDeviceDefDiskIOThreads
def _check_driver(disk: Disk, guest: Guest, caps: Capabilities, bus: str | None) -> None:
    driver = disk.driver
    if driver is None:
        return
    if driver.discard_no_unref is not None:
        need(caps, "qcow2-discard-no-unref", "discard_no_unref", disk)
    if driver.iothreads is not None:
        need(caps, "virtio-blk.iothread-mapping", "<iothreads> of a disk", disk)
    if driver.io == "native" and driver.cache not in ("none", "directsync"):
        raise unsupported("io='native' needs cache='none' or 'directsync'", disk)
    if driver.io == "io_uring":
        need(caps, "aio.io_uring", "io='io_uring'", disk)
    if driver.copy_on_read:
        _check_copy_on_read(disk)
    if driver.iothread:
        if bus != "virtio":
            raise unsupported(f"iothread does not go with bus '{bus}'", disk)
        if driver.iothread not in guest.iothreads:
            raise unsupported(f"iothread {driver.iothread} is not among <iothreadids>", disk)


def _check_copy_on_read(disk: Disk) -> None:
    if disk.readonly:
        raise unsupported("copy_on_read does not go with a read-only disk", disk)
    if disk.device != "disk":
        raise unsupported(f"copy_on_read does not go with device='{disk.device}'", disk)


# Follows: qemuValidateDomainDeviceDefDiskTransient
def _check_transient(disk: Disk, guest: Guest, caps: Capabilities, storage: Storage) -> None:
    if disk.transient is None:
        return
    if storage.empty:
        raise unsupported("a transient disk cannot be empty", disk)
    if disk.readonly:
        raise unsupported("a transient disk cannot be read-only", disk)
    if storage.type != "file":
        raise unsupported(f"a transient disk is of type 'file', not '{storage.type}'", disk)
    if disk.device not in (None, "disk"):
        raise unsupported(f"device='{disk.device}' cannot be transient", disk)
    if not disk.transient.share_backing:
        return
    domain = guest.domain
    ends = domain.on_reboot == "destroy" and domain.on_poweroff in (None, "destroy")
    if ends and domain.on_crash in (None, "destroy", "coredump-destroy"):
        need(caps, "set-action", "shareBacking of a domain that never reboots", disk)
    bus = disk.target.bus if disk.target is not None else None
    if bus not in ("usb", "virtio", "scsi"):
        raise unsupported(f"shareBacking does not go with bus '{bus}'", disk)
