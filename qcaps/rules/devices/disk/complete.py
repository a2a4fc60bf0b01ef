"""Disks: driver, format, bus, the place that the name stands for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qcaps.domainxml.address import DriveAddress
from qcaps.domainxml.codec import evolve
from qcaps.domainxml.devices import Disk
from qcaps.domainxml.devices.disk import DiskBackingStore, DiskDriver, DiskTarget
from qcaps.domainxml.syntax import uuid
from qcaps.release import R9_0, R12_8, since
from qcaps.rules.refusal import Refused
from qcaps.rules.shared.common import filled_pci, is_empty, says_something, source_labels
from qcaps.rules.shared.names import disk_number
from qcaps.rules.shared.sizes import in_bytes
from qcaps.rules.shared.state import NARROW_SCSI_UNITS

if TYPE_CHECKING:
    from qcaps.domainxml.devices.disk import DiskIotune
    from qcaps.domainxml.devices.disksource import DiskFormatMetadataCache, DiskSource
    from qcaps.domainxml.devices.on_host import SourceHost
    from qcaps.domainxml.devices.secret import Encryption
    from qcaps.domainxml.domain import Domain
    from qcaps.release import Since
    from qcaps.rules.shared.state import State

_BUSES: Final = {"hd": "ide", "sd": "scsi", "vd": "virtio", "xv": "xen", "ub": "uml"}
"""The bus that the first letters of a disk's name stand for."""

_RAW: Final = DiskDriver(name="qemu", type="raw")
_OF_A_POOL: Final = DiskDriver(name="qemu")
_PLACE: Final = DriveAddress(type="drive", controller=0, bus=0, target=0, unit=0)
_ZERO_MEANS_NONE: Final = ("queues", "queue_size")

_EVERYWHERE: Final = {
    "line",
    "unknown_attributes",
    "unknown_children",
    "slices",
    "encryption",
    "reservations",
}
_HERE: Final = _EVERYWHERE | {"seclabel", "auth", "startup_policy"}
_SOURCES: Final[dict[str, set[str]]] = {
    "file": _HERE | {"file", "fdgroup"},
    "block": _HERE | {"dev"},
    "dir": _HERE | {"dir"},
    "network": _EVERYWHERE | {
        "auth", "protocol", "name", "query", "tls", "tls_hostname", "host", "identity", "snapshot", "config",
        "initiator", "ssl", "cookies", "readahead", "timeout",
    },
    "volume": _EVERYWHERE | {"seclabel", "startup_policy", "pool", "volume", "mode"},
    "nvme": _HERE | {"type", "managed", "namespace", "address"},
    "vhostuser": _HERE | {"type", "path", "reconnect"},
}  # fmt: skip
"""What a source of each kind may say; libvirt passes over the rest."""

_EMPTY_MEANS_NONE: Final = ("snapshot", "config", "ssl", "readahead", "timeout", "identity", "cookies")
_TUPLES: Final = frozenset({"host", "seclabel"})
_PATHS: Final = {"file": "file", "block": "dev", "dir": "dir"}
"""The attribute that is a path: people leave it empty when they mean none."""

_HTTP: Final = frozenset({"http", "https"})
_WEB: Final = _HTTP | {"ftp", "ftps"}
_ONLY_OF: Final = {
    "query": _HTTP,
    "cookies": _HTTP,
    "readahead": _WEB,
    "timeout": _WEB,
    "ssl": frozenset({"https", "ftps"}),
    "identity": frozenset({"nfs"}),
}
"""What counts for some protocols only."""

_PORTS: Final = {
    "http": 80, "https": 443, "ftp": 21, "ftps": 990, "tftp": 69, "sheepdog": 7000, "nbd": 10809, "ssh": 22,
    "iscsi": 3260, "gluster": 24007, "vxhs": 9999,
}  # fmt: skip
"""Where servers listen."""


def read(domain: Domain, disk: Disk) -> Disk:
    """Leaves out states of a running guest and values that are the default.

    Follows: virDomainDiskDefParseXML, virDomainDiskDefFormat
    """
    given = disk.__dict__
    changes: dict[str, Any] = {"type": disk.type, "device": disk.device}
    if given.get("model") == "default":
        changes["model"] = None
    if given.get("mirror") is not None:
        changes["mirror"] = None
    if (driver := given.get("driver")) is not None:
        changes["driver"] = _driver(driver)
    if (source := given.get("source")) is not None:
        changes["source"] = read_source(disk.type, source, domain)
    else:
        changes["type"] = "file"  # without a source, its kind says nothing
    if (below := given.get("backing_store")) is not None:
        changes["backing_store"] = _backing(below, domain)
    if (target := given.get("target")) is not None:
        changes["target"] = _target(target)
    if (limits := given.get("iotune")) is not None:
        changes["iotune"] = _limits(limits)
    if (encryption := given.get("encryption")) is not None:
        changes["encryption"] = _encryption(encryption)
    return evolve(disk, **changes, **_hardware(disk))


def _hardware(disk: Disk) -> dict[str, Any]:
    """What the guest is told of the disk; zeros say nothing."""
    given = disk.__dict__
    changes: dict[str, Any] = {}
    if (shape := given.get("geometry")) is not None and not (shape.cyls and shape.heads and shape.secs):
        changes["geometry"] = None
    if (blocks := given.get("blockio")) is not None:
        sizes = {
            name: getattr(blocks, name) or None for name in ("logical_block_size", "physical_block_size")
        }
        changes["blockio"] = evolve(blocks, **sizes) if any(sizes.values()) else None
    if (transient := given.get("transient")) is not None and not transient.share_backing:
        changes["transient"] = evolve(transient, share_backing=None)
    return changes


def _driver(driver: DiskDriver) -> DiskDriver:
    changes: dict[str, Any] = {name: None for name in _ZERO_MEANS_NONE if driver.__dict__.get(name) == 0}
    if driver.type == "aio":
        changes["type"] = "raw"
    if driver.cache == "default":
        changes["cache"] = None
    if driver.metadata_cache is not None:
        changes["metadata_cache"] = _bytes(driver.metadata_cache)
    return evolve(driver, **changes) if changes else driver


def _bytes(cache: DiskFormatMetadataCache) -> DiskFormatMetadataCache | None:
    size = cache.max_size
    if size is None or not size.value:
        return None
    return evolve(cache, max_size=evolve(size, value=in_bytes(size, "bytes"), unit="bytes"))


def read_source(kind: str, source: DiskSource, domain: Domain) -> DiskSource | None:
    """What counts for a source of that kind; servers listen on the port of their protocol.

    Follows: virDomainStorageSourceParse, virDomainDiskSourceFormat
    """
    known = _SOURCES[kind]
    changes: dict[str, Any] = {
        name: () if name in _TUPLES else None for name in source.__dict__ if name not in known
    }
    if kind == "network":
        changes |= _network(source)
    if (path := _PATHS.get(kind)) is not None and source.__dict__.get(path) == "":
        changes[path] = None
    if kind == "nvme" and source.address is not None:
        changes["address"] = filled_pci(source.address)
    if kind == "volume" and source.pool is None and source.volume is None:
        changes["mode"] = None
    if source.encryption is not None:
        changes["encryption"] = _encryption(source.encryption)
    if kind == "volume" and source.auth is not None:
        changes["auth"] = None
    if source.slices is not None:
        part = next((one for one in source.slices.slice if one.type == "storage"), None)
        changes["slices"] = None if part is None else evolve(source.slices, slice=(part,))
    if source.seclabel:
        labels = source_labels(source.seclabel, domain)
        changes["seclabel"] = labels if "seclabel" in known else ()
    changed = evolve(source, **changes) if changes else source
    return changed if says_something(changed) else None


# Follows: virDomainDiskSourceNetworkParse
def _network(source: DiskSource) -> dict[str, Any]:
    protocol = source.protocol or ""
    changes: dict[str, Any] = {
        name: None
        for name, protocols in _ONLY_OF.items()
        if source.__dict__.get(name) is not None and protocol not in protocols
    }
    if source.host:
        changes["host"] = tuple(_host(one, protocol) for one in source.host)
    for name in _EMPTY_MEANS_NONE:
        if (part := source.__dict__.get(name)) is not None and is_empty(part):
            changes[name] = None
    if source.initiator is not None and (source.initiator.iqn is None or source.initiator.iqn.name is None):
        changes["initiator"] = None
    return changes


def _host(host: SourceHost, protocol: str) -> SourceHost:
    if host.transport == "unix":
        return evolve(host, name=None, port=None)
    port = host.port or None
    if port is None and host.transport in (None, "tcp"):
        port = _PORTS.get(protocol)
    return evolve(host, port=port, transport=None if host.transport == "tcp" else host.transport)


# Follows: virDomainDiskBackingStoreParse
def _backing(store: DiskBackingStore, domain: Domain) -> DiskBackingStore:
    if store.type is None:
        return DiskBackingStore()
    changes: dict[str, Any] = {"index": None}
    if store.source is not None:
        below = read_source(store.type, store.source, domain)
        changes["source"] = below if below is None else evolve(below, startup_policy=None)
    if store.format is not None and store.format.metadata_cache is not None:
        changes["format"] = evolve(store.format, metadata_cache=_bytes(store.format.metadata_cache))
    if store.backing_store is not None:
        changes["backing_store"] = _backing(store.backing_store, domain)
    return evolve(store, **changes)


# Follows: virStorageEncryptionParseNode, virStorageEncryptionFormat, qemuDomainDeviceDiskDefPostParse
def _encryption(own: Encryption) -> Encryption:
    """QEMU decrypts unless told otherwise; only LUKS has ciphers."""
    kept = own.cipher is not None and own.format == "luks"
    secrets = tuple(one if one.uuid is None else evolve(one, uuid=uuid(one.uuid)) for one in own.secret)
    return evolve(
        own,
        engine=own.engine or "qemu",
        secret=secrets,
        cipher=own.cipher if kept else None,
        ivgen=own.ivgen if kept else None,
    )


def _target(target: DiskTarget) -> DiskTarget:
    changes: dict[str, Any] = {}
    if target.tray == "closed":
        changes["tray"] = None
    if target.rotation_rate == 0:
        changes["rotation_rate"] = None
    return evolve(target, **changes) if changes else target


# Follows: virDomainDiskDefIotuneParse
def _limits(limits: DiskIotune) -> DiskIotune | None:
    zeros = {name: None for name, value in limits.__dict__.items() if value == 0 and name != "line"}
    changed = evolve(limits, **zeros) if zeros else limits
    return changed if says_something(changed) else None


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
