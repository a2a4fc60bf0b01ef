"""`<disk>`: first what libvirt asks of every hypervisor, then what it asks of QEMU."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from qcaps.pipeline.refusal import Refused
from qcaps.pipeline.validate.disk_tuning import check_throttle, check_throttle_pairs, has_throttle
from qcaps.pipeline.validate.guest import address_type
from qcaps.pipeline.validate.labels import check_labels
from qcaps.pipeline.validate.memory import need_shared_memory
from qcaps.pipeline.validate.refuse import internal, malformed, need, unsupported
from qcaps.pipeline.validate.storage import (
    LOCAL,
    Storage,
    chain_of,
    check_logins,
    check_lun,
    check_openable,
    storage_of,
)
from qcaps.pipeline.validate.virtio import check_no_virtio_options

if TYPE_CHECKING:
    from qcaps.capabilities.model import Capabilities
    from qcaps.domain.devices import Disk
    from qcaps.pipeline.validate.guest import Guest

_DRIVE_BUSES = frozenset({"ide", "fdc", "scsi", "sata"})
_TARGETS = ("hd", "sd", "vd", "xvd", "ubd")
_TARGET_NAME = re.compile(r"(?:fd|hd|vd|sd|xvd|ubd)[a-z]*(\d*)")
_WWN = re.compile(r"(?:0x)?[0-9a-fA-F]{16}")
_SERIAL = re.compile(r"[-A-Za-z0-9_ .+]*")
_LONGEST_VENDOR, _LONGEST_PRODUCT = 8, 16


def check_disk(disk: Disk, guest: Guest) -> None:
    """What holds for a disk under any hypervisor."""
    target = disk.target
    storage = storage_of(disk)
    if target is None or target.dev is None:
        raise Refused(f"<target dev=…> is missing for the disk on {storage.path or 'nothing'}", disk)
    for one in chain_of(disk, storage):
        check_logins(one)
    if disk.sgio == "unfiltered":
        raise unsupported("sgio='unfiltered' is no longer possible", disk)
    _check_lun_only(disk, storage)
    check_throttle_pairs(disk)
    kind, bus = address_type(disk), target.bus
    if bus in _DRIVE_BUSES and kind not in (None, "drive"):
        raise unsupported(f"disk '{target.dev}' on bus '{bus}' takes no address of type '{kind}'", disk)
    if bus != "virtio":
        _check_not_virtio(disk, bus)
    if storage.type == "nvme" and storage.source is not None and storage.source.namespace == 0:
        raise unsupported("namespace 0 does not exist on NVMe", disk)
    if storage.type == "vhostuser":
        _check_vhostuser(disk, storage, bus)
    check_labels(disk.source, guest)
    if target.tray is not None and disk.device not in ("floppy", "cdrom"):
        raise unsupported("tray is for cdrom and floppy", disk)
    _check_names(disk)
    _check_kind(disk, storage, target.dev, bus)


def _check_lun_only(disk: Disk, storage: Storage) -> None:
    if disk.device == "lun":
        check_lun(storage)
        return
    if storage.source is not None and storage.source.reservations is not None:
        raise unsupported("<reservations> is for device='lun'", disk)
    if disk.rawio is not None:
        raise unsupported("rawio is for device='lun'", disk)
    if disk.sgio is not None:
        raise unsupported("sgio is for device='lun'", disk)


def _check_not_virtio(disk: Disk, bus: str | None) -> None:
    if disk.model in ("virtio", "virtio-transitional", "virtio-non-transitional"):
        raise unsupported(f"model '{disk.model}' does not go with bus '{bus}'", disk)
    driver = disk.driver
    if driver is None:
        return
    for name in ("queues", "event_idx", "ioeventfd"):
        value = getattr(driver, name)
        if value or value is False:  # a switch counts when it is off, too
            raise unsupported(f"{name} is for bus 'virtio'", disk)
    check_no_virtio_options(driver, disk)


_NOT_VHOSTUSER = (
    "cache", "error_policy", "rerror_policy", "io", "ioeventfd", "copy_on_read", "discard", "iothread",
    "detect_zeroes", "metadata_cache",
)  # fmt: skip
_NOT_VHOSTUSER_CHILDREN = (
    "encryption", "transient", "serial", "wwn", "vendor", "product", "auth", "geometry", "blockio",
)  # fmt: skip


def _check_vhostuser(disk: Disk, storage: Storage, bus: str | None) -> None:
    if bus != "virtio":
        raise unsupported(f"a disk of type 'vhostuser' goes on bus 'virtio', not '{bus}'", disk)
    if disk.snapshot != "no":
        raise unsupported("a disk of type 'vhostuser' needs snapshot='no'", disk)
    for name in _NOT_VHOSTUSER:
        if disk.driver is not None and getattr(disk.driver, name) not in (None, "default"):
            raise unsupported(f"a disk of type 'vhostuser' takes no {name}", disk)
    if has_throttle(disk) or (disk.iotune is not None and disk.iotune.group_name):
        raise unsupported("a disk of type 'vhostuser' takes no iotune", disk)
    if disk.backing_store is not None and disk.backing_store.type is not None:
        raise unsupported("a disk of type 'vhostuser' takes no backingStore", disk)
    for name in _NOT_VHOSTUSER_CHILDREN:
        if getattr(disk, name) is not None:
            raise unsupported(f"a disk of type 'vhostuser' takes no {name}", disk)
    if disk.readonly or disk.shareable or storage.auth is not None or storage.encryption is not None:
        raise unsupported("a disk of type 'vhostuser' is neither read-only nor shared nor encrypted", disk)


def _check_names(disk: Disk) -> None:
    for name, longest in (("vendor", _LONGEST_VENDOR), ("product", _LONGEST_PRODUCT)):
        text = getattr(disk, name)
        if text is None:
            continue
        if not all(" " <= character <= "~" for character in text):
            raise malformed(f"the {name} is not printable", disk)
        if len(text) > longest:
            raise unsupported(f"the {name} has more than {longest} characters", disk)


def _check_kind(disk: Disk, storage: Storage, name: str, bus: str | None) -> None:
    device = disk.device or "disk"
    if (device == "floppy") != (bus == "fdc"):
        raise internal(f"device='{device}' does not go with bus '{bus}'", disk)
    if disk.target is not None and disk.target.removable is not None and bus != "usb":
        raise malformed("removable is for bus 'usb'", disk)
    policy = disk.source.startup_policy if disk.source is not None else None
    if policy is not None:
        if storage.type not in LOCAL and storage.type != "volume":
            raise malformed(f"startupPolicy does not go with type '{storage.type}'", disk)
        if policy == "requisite" and device not in ("cdrom", "floppy"):
            raise malformed("startupPolicy 'requisite' is for cdrom and floppy", disk)
    if disk.wwn is not None and not _WWN.fullmatch(disk.wwn):
        raise internal(f"'{disk.wwn}' is no WWN: 16 hexadecimal digits", disk)
    if device in ("disk", "lun") and not name.startswith(_TARGETS):
        raise internal(f"'{name}' is no name of a disk, such as vda", disk)
    if device == "floppy" and not name.startswith("fd"):
        raise internal(f"'{name}' is no name of a floppy, such as fda", disk)
    if device == "disk" and storage.empty:
        raise Refused(f"disk '{name}' has no source", disk)


# ── QEMU ───────────────────────────────────────────────────────────────────────────────────────────


def check_qemu_disk(disk: Disk, guest: Guest, caps: Capabilities) -> None:
    """What QEMU, or this QEMU, cannot do with a disk."""
    target, driver = disk.target, disk.driver
    if target is None or target.dev is None:
        raise Refused("<target dev=…> is missing", disk)
    name, bus, device = target.dev, target.bus, disk.device or "disk"
    storage = storage_of(disk)
    _check_frontend(disk, bus, device, caps)
    _check_lun_frontend(disk, bus, caps)
    _check_bus(disk, bus, device, caps)
    _check_driver(disk, guest, caps, bus)
    check_throttle(disk, guest)
    _check_transient(disk, guest, caps, storage)
    if disk.shareable and not disk.readonly and storage.format != "raw":
        raise unsupported(f"the shared disk '{name}' needs format 'raw', not '{storage.format}'", disk)
    if driver is not None and driver.name not in (None, "qemu"):
        raise unsupported(f"QEMU has no disk driver '{driver.name}'", disk)
    _check_target_name(disk, name)
    for one in chain_of(disk, storage):
        check_openable(one, caps)
    if storage.type == "vhostuser":
        need(caps, "vhost-user-blk", "a disk of type 'vhostuser'", disk)
        need_shared_memory(guest, caps, "vhostuser", disk)


def _check_target_name(disk: Disk, name: str) -> None:
    match = _TARGET_NAME.fullmatch(name)
    if match is None:
        raise unsupported(f"'{name}' is no name of a disk", disk)
    if int(match[1] or 0):
        raise unsupported(f"'{name}' is the name of a partition", disk)


def _check_frontend(disk: Disk, bus: str | None, device: str, caps: Capabilities) -> None:
    geometry = disk.geometry
    if geometry is not None and geometry.cyls and geometry.heads and geometry.secs:
        if bus in ("usb", "sd"):
            raise unsupported(f"a disk on bus '{bus}' has no geometry", disk)
        if geometry.trans is not None and bus != "ide":
            raise unsupported(f"trans is for bus 'ide', not '{bus}'", disk)
    if device == "cdrom" and bus in ("virtio", "sd"):
        raise unsupported(f"a cdrom cannot be on bus '{bus}'", disk)
    if disk.driver is not None and disk.driver.copy_on_read:
        if disk.readonly:
            raise unsupported("copy_on_read does not go with a read-only disk", disk)
        if device in ("cdrom", "floppy"):
            raise unsupported(f"copy_on_read does not go with device='{device}'", disk)
    _check_identity(disk, bus, caps)


def _check_identity(disk: Disk, bus: str | None, caps: Capabilities) -> None:
    if disk.serial is not None and bus == "sd":
        raise internal("a disk on bus 'sd' has no serial", disk)
    if disk.wwn is not None:
        if bus not in ("ide", "scsi"):
            raise unsupported(f"wwn is for bus 'ide' or 'scsi', not '{bus}'", disk)
        if bus == "ide":
            need(caps, "ide-drive.wwn", "wwn of an IDE disk", disk)
            need(caps, "scsi-disk.wwn", "wwn", disk)
    if disk.vendor is not None or disk.product is not None:
        if bus != "scsi":
            raise unsupported(f"vendor and product are for bus 'scsi', not '{bus}'", disk)
        need(caps, "scsi-disk.wwn", "vendor or product", disk)


def _check_lun_frontend(disk: Disk, bus: str | None, caps: Capabilities) -> None:
    if disk.device != "lun":
        return
    if bus not in ("virtio", "scsi"):
        raise unsupported(f"device='lun' does not go with bus '{bus}'", disk)
    if bus == "scsi":
        need(caps, "scsi-block", "device='lun' on bus 'scsi'", disk)
    if disk.driver is not None and disk.driver.copy_on_read:
        raise unsupported("copy_on_read does not go with device='lun'", disk)
    for name in ("wwn", "vendor", "product"):
        if getattr(disk, name) is not None:
            raise unsupported(f"{name} does not go with device='lun'", disk)


def _check_bus(disk: Disk, bus: str | None, device: str, caps: Capabilities) -> None:
    kind = address_type(disk)
    if disk.target is not None and disk.target.rotation_rate:
        if bus not in ("scsi", "ide", "sata") or device != "disk":
            raise internal("rotation_rate is for disks on scsi, ide or sata", disk)
        need(caps, "rotation-rate", "rotation_rate", disk)
    if disk.readonly and device == "disk" and bus in ("ide", "sata"):
        raise unsupported(f"a disk on bus '{bus}' cannot be read-only", disk)
    if bus in _DRIVE_BUSES and kind != "drive":
        raise internal(f"a disk on bus '{bus}' takes an address of type 'drive', not '{kind}'", disk)
    if bus == "virtio" and disk.driver is not None and disk.driver.queue_size:
        need(caps, "virtio-blk.queue-size", "queue_size", disk)
    if bus == "usb":
        need(caps, "usb-storage", "a disk on bus 'usb'", disk)
        if kind not in (None, "usb"):
            raise internal(f"a disk on bus 'usb' takes an address of type 'usb', not '{kind}'", disk)
        if disk.target is not None and disk.target.removable is not None:
            need(caps, "usb-storage.removable", "removable", disk)


def _check_driver(disk: Disk, guest: Guest, caps: Capabilities, bus: str | None) -> None:
    driver = disk.driver
    if driver is not None:
        if driver.io == "native" and driver.cache not in ("none", "directsync"):
            raise unsupported("io='native' needs cache='none' or 'directsync'", disk)
        if driver.io == "io_uring":
            need(caps, "aio.io_uring", "io='io_uring'", disk)
    if disk.serial is not None:
        if bus == "scsi" and disk.device == "lun":
            raise unsupported("device='lun' on bus 'scsi' has no serial", disk)
        if not _SERIAL.fullmatch(disk.serial):
            raise internal(f"the serial '{disk.serial}' has characters that QEMU would misread", disk)
    if driver is not None and driver.iothread:
        if bus != "virtio":
            raise unsupported(f"iothread does not go with bus '{bus}'", disk)
        if driver.iothread not in guest.iothreads:
            raise unsupported(f"iothread {driver.iothread} is not among <iothreadids>", disk)


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
