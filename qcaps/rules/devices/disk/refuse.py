"""`<disk>`: first what libvirt asks of every hypervisor, then what it asks of QEMU."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from qcaps.release import R9_0, R11_3, since
from qcaps.rules.devices.disk.tuning import check_throttle_pairs, has_throttle
from qcaps.rules.refusal import Refused
from qcaps.rules.shared.guest import address_type
from qcaps.rules.shared.refuse import internal, malformed, unsupported
from qcaps.rules.shared.storage import (
    LOCAL,
    Storage,
    chain_of,
    check_logins,
    check_lun,
    storage_of,
)
from qcaps.rules.shared.virtio import check_no_virtio_options

if TYPE_CHECKING:
    from qcaps.domainxml.devices import Disk
    from qcaps.release import Release, Since
    from qcaps.rules.shared.guest import Guest

DRIVE_BUSES = frozenset({"ide", "fdc", "scsi", "sata"})
_TARGETS = ("hd", "sd", "vd", "xvd", "ubd")
_WWN = re.compile(r"(?:0x)?[0-9a-fA-F]{16}")
_LONGEST_VENDOR, _LONGEST_PRODUCT = 8, 16


_REMOVABLE_ON: Final[Since[tuple[str, ...]]] = {R9_0: ("usb",), R11_3: ("usb", "scsi")}
_HAS_SHEEPDOG: Final[Since[bool]] = {R9_0: True, R11_3: False}


def refuse(disk: Disk, guest: Guest) -> None:
    """What holds for a disk under any hypervisor.

    Follows: virDomainDiskDefValidate, virDomainDiskDefValidateSource
    """
    target = disk.target
    storage = guest.storage[id(disk)] = storage_of(disk)
    if target is None or target.dev is None:
        raise Refused(f"<target dev=…> is missing for the disk on {storage.path or 'nothing'}", disk)
    for one in chain_of(disk, storage):
        check_logins(one)
    if storage.source is not None and (
        storage.source.protocol == "sheepdog" and not since(_HAS_SHEEPDOG, guest.draft.release)
    ):
        raise unsupported("no hypervisor has the protocol 'sheepdog' any more", disk)
    if disk.sgio == "unfiltered":
        raise unsupported("sgio='unfiltered' is no longer possible", disk)
    _check_lun_only(disk, storage)
    check_throttle_pairs(disk)
    kind, bus = address_type(disk), target.bus
    if bus in DRIVE_BUSES and kind not in (None, "drive"):
        raise unsupported(f"disk '{target.dev}' on bus '{bus}' takes no address of type '{kind}'", disk)
    if bus != "virtio":
        _check_not_virtio(disk, bus)
    if storage.type == "nvme" and storage.source is not None and storage.source.namespace == 0:
        raise unsupported("namespace 0 does not exist on NVMe", disk)
    if storage.type == "vhostuser":
        _check_vhostuser(disk, storage, bus)
    if target.tray is not None and disk.device not in ("floppy", "cdrom"):
        raise unsupported("tray is for cdrom and floppy", disk)
    _check_names(disk)
    _check_kind(disk, storage, target.dev, bus, guest.draft.release)


# Follows: virDomainDiskDefValidate
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


# Follows: virDomainDiskDefValidate
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


# Follows: virDomainDiskVhostUserValidate
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


# Follows: virDomainDiskDefValidate
def _check_names(disk: Disk) -> None:
    for name, longest in (("vendor", _LONGEST_VENDOR), ("product", _LONGEST_PRODUCT)):
        text = getattr(disk, name)
        if text is None:
            continue
        if not all(" " <= character <= "~" for character in text):
            raise malformed(f"the {name} is not printable", disk)
        if len(text) > longest:
            raise unsupported(f"the {name} has more than {longest} characters", disk)


# Follows: virDomainDiskDefValidate, virDomainDiskDefValidateStartupPolicy
def _check_kind(disk: Disk, storage: Storage, name: str, bus: str | None, release: Release) -> None:
    device = disk.device or "disk"
    if (device == "floppy") != (bus == "fdc"):
        raise internal(f"device='{device}' does not go with bus '{bus}'", disk)
    buses = since(_REMOVABLE_ON, release)
    if disk.target is not None and disk.target.removable is not None and bus not in buses:
        raise malformed(f"removable is for bus {' and '.join(map(repr, buses))}", disk)
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
