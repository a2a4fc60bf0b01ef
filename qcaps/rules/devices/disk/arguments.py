"""Disks: their images, and the devices the guest sees."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qcaps.domainxml.devices import Disk
from qcaps.rules.machine import is_q35
from qcaps.rules.refusal import Refused
from qcaps.rules.shared.image import (
    Image,
    blockdevs,
    cache_mode,
    is_empty,
    is_read_only,
    numbered,
    reservations,
)
from qcaps.rules.shared.names import disk_number
from qcaps.rules.start.address import placed, zpci
from qcaps.rules.start.argument import blockdev, escaped, on_off
from qcaps.rules.start.backend import unix_socket
from qcaps.rules.start.virtio import virtio

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from qcaps.rules.start.argument import Json, Properties
    from qcaps.rules.start.launch import Launch

_WRITES_BACK: Final = {
    "none": True,
    "writethrough": False,
    "writeback": True,
    "directsync": False,
    "unsafe": True,
}


def reservation_helper(launch: Launch) -> Iterator[str]:
    """The object of the helper for persistent reservations, where a disk asks for it.

    Follows: qemuBuildManagedPRCommandLine
    """
    yield from reservations(launch, launch.of(Disk))


def disks(launch: Launch) -> Iterator[str]:
    """Every disk in order: its images, then its device.

    Follows: qemuBuildDisksCommandLine, qemuBuildDiskCommandLine
    """
    yield from _floppy_controller(launch)
    listed = launch.of(Disk)
    chains = numbered(listed)
    for disk in listed:
        if disk.transient and disk.transient.share_backing:
            continue  # plugged in when QEMU runs
        if disk.target and disk.target.bus == "sd":
            yield from ("-drive", _sd_card(disk))
            continue
        chain = chains.get(id(disk), [])
        top = yield from _backend(launch, disk, chain)
        yield from zpci(launch, disk)
        yield from launch.device(_device(launch, disk, top))


def _backend(launch: Launch, disk: Disk, chain: list[Image]) -> Generator[str, None, str]:
    """The host's end of a disk; what comes back names its uppermost node, "" for none.

    Follows: qemuBuildDiskSourceCommandLine, qemuBlockStorageGetCopyOnReadProps
    """
    if disk.type == "vhostuser":
        source = disk.source
        path = (source.path if source else None) or ""
        again = source.reconnect if source else None
        yield from (
            "-chardev",
            unix_socket(f"chr-vu-{launch.alias(disk)}", path, listens=False, reconnect=again),
        )
        return ""
    yield from blockdevs(launch, disk, chain)
    if not chain:
        return ""
    if disk.driver and disk.driver.copy_on_read and disk.target:
        name = f"libvirt-CoR-{disk.target.dev}"
        yield from blockdev(
            {"driver": "copy-on-read", "node-name": name, "file": chain[0].node, "discard": "unmap"}
        )
        return name
    return chain[0].node


# Follows: qemuBuildDiskDeviceProps
def _device(launch: Launch, disk: Disk, top: str) -> Properties:
    bus = disk.target.bus if disk.target else None
    make = _BUSES.get(bus or "")
    if make is None:
        raise Refused(f"QEMU has no disk on bus '{bus}'", disk)
    cache = cache_mode(disk)
    write_error, read_error = _error_policies(disk)
    properties = {**make(launch, disk), **placed(launch, disk)}
    if bus == "scsi" and disk.device != "lun":
        properties["device_id"] = disk.serial or f"drive-{launch.alias(disk)}"
    size, geometry, target = disk.blockio, disk.geometry, disk.target
    return {
        **properties,
        "share-rw": True if disk.shareable else None,
        "drive": top or None,
        "chardev": f"chr-vu-{launch.alias(disk)}" if disk.type == "vhostuser" else None,
        "id": launch.alias(disk),
        "bootindex": None if disk.device == "floppy" else launch.boot_index(disk),
        "logical_block_size": (size.logical_block_size if size else None) or None,
        "physical_block_size": (size.physical_block_size if size else None) or None,
        "wwn": _world_wide_name(disk),
        "rotation_rate": (target.rotation_rate if target else None) or None,
        "vendor": disk.vendor,
        "product": disk.product,
        "removable": _removable(launch, disk) if bus == "usb" else None,
        "write-cache": on_off(state=_WRITES_BACK[cache]) if cache and disk.device != "lun" else None,
        "cyls": (geometry.cyls if geometry else None) or None,
        "heads": (geometry.heads if geometry else None) or None,
        "secs": (geometry.secs if geometry else None) or None,
        "bios-chs-trans": geometry.trans if geometry else None,
        "serial": disk.serial.replace(" ", "\\ ") if disk.serial else None,
        "werror": write_error,
        "rerror": read_error,
    }


def _ide(_launch: Launch, disk: Disk) -> dict[str, Json]:
    return {"driver": "ide-cd" if disk.device == "cdrom" else "ide-hd"}


def _scsi(_launch: Launch, disk: Disk) -> dict[str, Json]:
    return {"driver": {"lun": "scsi-block", "cdrom": "scsi-cd"}.get(disk.device, "scsi-hd")}


def _usb(_launch: Launch, _disk: Disk) -> dict[str, Json]:
    return {"driver": "usb-storage"}


def _floppy(_launch: Launch, _disk: Disk) -> dict[str, Json]:
    return {"driver": "floppy"}


# Follows: qemuBuildDiskDeviceProps
def _virtio(launch: Launch, disk: Disk) -> dict[str, Json]:
    driver = disk.driver
    base = "vhost-user-blk" if disk.type == "vhostuser" else "virtio-blk"
    scsi = None
    if disk.type != "vhostuser" and "virtio-blk-pci.scsi" in launch.capabilities:
        if disk.device == "lun":
            scsi = True
        elif "virtio-blk-pci.scsi.default.disabled" not in launch.capabilities:
            scsi = False
    return {
        **virtio(launch, disk, base, driver=driver, model=disk.model),
        "iothread": f"iothread{driver.iothread}" if driver and driver.iothread else None,
        "ioeventfd": driver.ioeventfd if driver else None,
        "event_idx": driver.event_idx if driver else None,
        "scsi": scsi,
        "num-queues": (driver.queues if driver else None) or None,
        "queue-size": (driver.queue_size if driver else None) or None,
    }


_BUSES: dict[str, Callable[[Launch, Disk], dict[str, Json]]] = {
    "ide": _ide,
    "sata": _ide,
    "scsi": _scsi,
    "virtio": _virtio,
    "usb": _usb,
    "fdc": _floppy,
}


def _removable(launch: Launch, disk: Disk) -> bool | None:
    if "usb-storage.removable" not in launch.capabilities:
        return None
    return bool(disk.target and disk.target.removable)


def _world_wide_name(disk: Disk) -> int | None:
    try:
        return int(disk.wwn, 16) if disk.wwn else None
    except ValueError:
        raise Refused(f"'{disk.wwn}' is not a world wide name", disk) from None


def _error_policies(disk: Disk) -> tuple[str | None, str | None]:
    """What a failed write and a failed read do; a read does as a write where nobody says otherwise.

    Follows: qemuBuildDiskGetErrorPolicy
    """
    driver = disk.driver
    write = driver.error_policy if driver else None
    read = driver.rerror_policy if driver else None
    if write == "enospace":
        return "enospc", read
    return write, read or write


# Follows: qemuBuildDriveStr
def _sd_card(disk: Disk) -> str:
    source, driver = disk.source, disk.driver
    words = []
    if source and (path := source.file or source.dev):
        words.append(f"file={escaped(path)}")
    elif not is_empty(disk):
        raise Refused(f"an SD card is read from a file, not from a '{disk.type}'", disk)
    words.append(f"format={(driver.type if driver else None) or 'raw'}")
    words.append(f"if=sd,index={disk_number(disk.target.dev) if disk.target else 0}")
    if is_read_only(disk):
        words.append("readonly=on")
    for key, value in (
        ("cache", cache_mode(disk)),
        ("copy-on-read", on_off(state=driver.copy_on_read) if driver else None),
        ("discard", driver.discard if driver else None),
        ("detect-zeroes", driver.detect_zeroes if driver else None),
        ("aio", driver.io if driver else None),
    ):
        if value and not is_empty(disk):
            words.append(f"{key}={value}")
    return ",".join(words)


def _floppy_controller(launch: Launch) -> Iterator[str]:
    """q35 has none until it is asked for; elsewhere it is told which drive to boot from.

    Follows: qemuBuildFloppyCommandLineControllerOptions
    """
    floppies = [disk for disk in launch.of(Disk) if disk.target and disk.target.bus == "fdc"]
    if not floppies:
        return
    index: dict[str, Json] = {"bootindexA": None, "bootindexB": None}
    for disk in floppies:
        second = bool(getattr(disk.address, "unit", None))
        index["bootindexB" if second else "bootindexA"] = launch.boot_index(disk)
    if is_q35(launch.domain):
        yield from launch.device({"driver": "isa-fdc", **index})
        return
    for name, value in index.items():
        if value:
            yield from ("-global", f"isa-fdc.{name}={value}")
