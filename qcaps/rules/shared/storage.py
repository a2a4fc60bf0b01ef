"""Where a disk's bytes lie: what QEMU can open, for the disk itself and for each image behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from qcaps.domainxml.memory import kib
from qcaps.rules.shared.refuse import malformed, need, unsupported

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from qcaps.capabilities.model import Capabilities
    from qcaps.domainxml.devices import Disk
    from qcaps.domainxml.devices.disk import DiskBackingStore
    from qcaps.domainxml.devices.disksource import DiskSource
    from qcaps.domainxml.devices.secret import Auth, Encryption

LOCAL = frozenset({"file", "block", "dir"})
"""Types whose image is a path of the host."""

_PATHS = {"file": "file", "block": "dev", "dir": "dir"}

_NO_AUTH = frozenset({"nbd", "sheepdog", "gluster", "tftp", "vxhs", "nfs"})
"""Protocols without a login."""

_SECRETS = {"iscsi": "iscsi", "rbd": "ceph"}
"""The type of secret that a protocol's login takes, where libvirt insists on one."""

_FORMATS = {
    "cow": "QEMU has no image format 'cow'",
    "dir": "QEMU opens no format 'dir'; use a disk of type 'dir'",
    "iso": "QEMU opens no format 'iso'; use 'raw'",
}
"""Formats that libvirt knows and QEMU does not open."""

_USUAL = frozenset({"raw", "qcow2", None})


class Storage(NamedTuple):
    """One image; `type` is the disk's, or file where a disk has no source at all."""

    type: str
    format: str | None
    source: DiskSource | None
    readonly: bool
    auth: Auth | None
    encryption: Encryption | None
    cache_size: int
    element: Disk | DiskBackingStore

    @property
    def path(self) -> str | None:
        """The path on the host of a local image."""
        attribute = _PATHS.get(self.type)
        return (getattr(self.source, attribute) or None) if self.source is not None and attribute else None

    @property
    def empty(self) -> bool:
        """No image, as in a drive without a medium."""
        return self.type in LOCAL and self.path is None

    @property
    def protocol(self) -> str | None:
        """How an image on the network is reached."""
        return self.source.protocol if self.type == "network" and self.source is not None else None


def storage_of(disk: Disk) -> Storage:
    """The image that the guest writes to."""
    source, driver = disk.source, disk.driver
    cache = driver.metadata_cache if driver is not None else None
    return Storage(
        type=disk.type or "file",
        format=("raw" if driver.type == "aio" else driver.type) if driver is not None else None,
        source=source,
        readonly=disk.readonly,
        auth=disk.auth or (source.auth if source is not None else None),
        encryption=disk.encryption or (source.encryption if source is not None else None),
        cache_size=kib(cache.max_size, "bytes") if cache is not None else 0,
        element=disk,
    )


def chain_of(disk: Disk, top: Storage) -> Iterable[Storage]:
    """The image and those behind it, as far as the file names them."""
    return (top,) if disk.backing_store is None else (top, *_behind(disk.backing_store))


def _behind(first: DiskBackingStore) -> Iterator[Storage]:
    behind: DiskBackingStore | None = first
    while behind is not None and behind.type is not None:
        source, image_format = behind.source, behind.format
        cache = image_format.metadata_cache if image_format is not None else None
        yield Storage(
            type=behind.type,
            format=image_format.type if image_format is not None else None,
            source=source,
            readonly=True,
            auth=source.auth if source is not None else None,
            encryption=source.encryption if source is not None else None,
            cache_size=kib(cache.max_size, "bytes") if cache is not None else 0,
            element=behind,
        )
        behind = behind.backing_store


def check_logins(storage: Storage) -> None:
    """Login, cipher, snapshot and configuration file against the protocol.

    Follows: virDomainDiskDefValidateSourceChainOne
    """
    if storage.auth is not None and storage.type == "network":
        _check_auth(storage, storage.auth)
    encryption = storage.encryption
    if encryption is not None and encryption.format == "luks" and encryption.cipher is not None:
        raise unsupported("<cipher> says nothing that a LUKS image does not", encryption)
    source = storage.source
    if source is not None and storage.type != "network":
        for name in ("snapshot", "config"):
            if getattr(source, name) is not None:
                raise malformed(f"<{name}> is for 'rbd' disks", source)


def _check_auth(storage: Storage, auth: Auth) -> None:
    if storage.protocol in _NO_AUTH:
        raise unsupported(f"protocol '{storage.protocol}' has no login", auth)
    wanted = _SECRETS.get(storage.protocol or "")
    given = auth.secret.type if auth.secret is not None else None
    if given is None:
        raise unsupported("the secret of a login needs a type", auth)
    if wanted is not None and given != wanted:
        raise unsupported(
            f"protocol '{storage.protocol}' takes a secret of type '{wanted}', not '{given}'", auth
        )


def check_lun(storage: Storage) -> None:
    """What a disk with device='lun' may lie on.

    Follows: virDomainDiskDefSourceLUNValidate
    """
    if storage.type == "network":
        if storage.protocol != "iscsi":
            raise unsupported(f"device='lun' does not go with protocol '{storage.protocol}'", storage.element)
    elif storage.type not in ("block", "volume"):
        raise unsupported(f"device='lun' needs a block device, not type '{storage.type}'", storage.element)
    if storage.format not in ("raw", None):
        raise unsupported(f"device='lun' needs format 'raw', not '{storage.format}'", storage.element)
    if storage.source is not None and storage.source.slices is not None:
        raise unsupported("device='lun' cannot be a slice", storage.element)
    if storage.encryption is not None and storage.encryption.format != "default":
        raise unsupported("device='lun' cannot be encrypted", storage.element)


def check_openable(storage: Storage, caps: Capabilities) -> None:
    """What this QEMU can open.

    Follows: qemuDomainValidateStorageSource
    """
    element, source = storage.element, storage.source
    if storage.format not in _USUAL or storage.type == "dir":
        _check_format(storage)
    if source is not None:
        if source.reservations is not None:
            need(caps, "pr-manager-helper", "<reservations>", source)
        if storage.type == "network":
            _check_network(storage, source, caps)
    if storage.cache_size and storage.format != "qcow2":
        raise unsupported("metadata_cache is for format 'qcow2'", element)
    if storage.encryption is not None:
        _check_encryption(storage, storage.encryption, caps)


def _check_format(storage: Storage) -> None:
    if storage.format in _FORMATS:
        raise unsupported(_FORMATS[storage.format], storage.element)
    if storage.format == "fat" and storage.type not in ("volume", "dir"):
        raise unsupported("format 'fat' is for disks of type 'dir'", storage.element)
    if storage.type == "dir":
        if storage.format not in (None, "fat"):
            raise unsupported(f"type 'dir' goes with format 'fat', not '{storage.format}'", storage.element)
        if not storage.readonly:
            raise unsupported("a disk of type 'dir' needs <readonly/>", storage.element)


def _check_network(storage: Storage, source: DiskSource, caps: Capabilities) -> None:
    protocol = storage.protocol
    if protocol == "tftp":
        raise unsupported("QEMU no longer has protocol 'tftp'", source)
    if protocol == "nfs":
        if len(source.host) != 1:
            raise unsupported(f"protocol 'nfs' has one host, not {len(source.host)}", source)
        (host,) = source.host
        if host.transport not in (None, "tcp"):
            raise unsupported(f"protocol 'nfs' has no transport '{host.transport}'", host)
        if host.port:
            raise unsupported("protocol 'nfs' takes no port", host)
    if source.tls_hostname is not None:
        if protocol != "nbd":
            raise unsupported(f"tlsHostname is for protocol 'nbd', not '{protocol}'", source)
        need(caps, "blockdev.nbd.tls-hostname", "tlsHostname", source)


def _check_encryption(storage: Storage, encryption: Encryption, caps: Capabilities) -> None:
    if encryption.format in ("default", "qcow"):
        raise unsupported("QEMU no longer has the old encryption of qcow images", encryption)
    if encryption.engine == "librbd":
        need(caps, "rbd-encryption", "encryption by librbd", encryption)
        if storage.type != "network":
            raise unsupported("encryption by librbd is for protocol 'rbd'", encryption)
        return
    if encryption.format != "luks":
        raise unsupported(f"QEMU itself has no encryption of format '{encryption.format}'", encryption)
    if storage.format not in ("qcow2", "raw"):
        raise unsupported(f"encryption needs format 'raw' or 'qcow2', not '{storage.format}'", encryption)
