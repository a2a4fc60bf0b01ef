"""A disk as it is read: what libvirt makes of its words before anything is decided."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qcaps.domainxml.codec import evolve
from qcaps.domainxml.devices.disk import DiskBackingStore, DiskDriver, DiskTarget
from qcaps.domainxml.syntax import uuid
from qcaps.rules.shared.common import filled_pci, is_empty, says_something, source_labels
from qcaps.rules.shared.sizes import in_bytes

if TYPE_CHECKING:
    from qcaps.domainxml.devices import Disk
    from qcaps.domainxml.devices.disk import DiskIotune
    from qcaps.domainxml.devices.disksource import DiskFormatMetadataCache, DiskSource
    from qcaps.domainxml.devices.on_host import SourceHost
    from qcaps.domainxml.devices.secret import Encryption
    from qcaps.domainxml.domain import Domain

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
    if source.slices is not None and source.slices.slice is None:
        changes["slices"] = None
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
    changes: dict[str, Any] = {}
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
