"""The images of a disk: for each of its chain the `-blockdev` of its bytes and the one of its format.

The chain is the one the definition names. libvirt reads the images as well when a domain really starts;
as its own `domxml-to-native`, this opens nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from qcaps.domainxml.codec import evolve
from qcaps.domainxml.memory import kib
from qcaps.rules.refusal import Refused
from qcaps.rules.shared.protocol import located, secret
from qcaps.rules.start import paths
from qcaps.rules.start.argument import blockdev

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qcaps.domainxml.devices import Disk
    from qcaps.domainxml.devices.disk import DiskBackingStore
    from qcaps.domainxml.devices.disksource import DiskFormatMetadataCache, DiskSource
    from qcaps.domainxml.devices.secret import Encryption
    from qcaps.rules.start.argument import Json, Properties
    from qcaps.rules.start.launch import Launch

IMAGES: Final = "/var/lib/libvirt/images"
"""The folder of the pool called default; other pools are taken for folders in it."""

_DRIVERS: Final = {
    "fat": "raw", "raw": "raw", "qcow2": "qcow2", "qcow": "qcow", "ploop": "parallels", "vhd": "vhdx",
    "bochs": "bochs", "cloop": "cloop", "dmg": "dmg", "vdi": "vdi", "vpc": "vpc", "qed": "qed",
    "vmdk": "vmdk",
}  # fmt: skip
_ON_TOP: Final = frozenset({"cow", "qcow", "qcow2", "qed", "vmdk"})
"""Formats that may lie on another image."""

_CACHES: Final = {
    "none": (True, False),
    "writethrough": (False, False),
    "writeback": (False, False),
    "directsync": (True, False),
    "unsafe": (False, True),
}
"""Whether a cache mode passes by the host's cache, and whether it ignores flushes."""


@dataclass(frozen=True)
class Image:
    """One image of a chain. `backing` is the node below, "" where the chain ends, None where nobody says."""

    number: int
    kind: str
    format: str
    source: DiskSource
    encryption: Encryption | None
    metadata_cache: DiskFormatMetadataCache | None
    is_top: bool
    backing: str | None

    @property
    def storage(self) -> str:
        """The node of its bytes."""
        return f"libvirt-{self.number}-storage"

    @property
    def node(self) -> str:
        """The node of its format."""
        return f"libvirt-{self.number}-format"


def is_empty(disk: Disk) -> bool:
    """Whether there is no medium in the drive.

    Follows: virStorageSourceIsEmpty
    """
    source = disk.source
    if source is None:
        return True
    if disk.type == "network":
        return source.protocol is None
    return disk.type in ("file", "block", "dir") and not (
        source.file or source.dev or source.dir or source.fdgroup
    )


def cache_mode(disk: Disk) -> str | None:
    """How the image is cached; a shared one that is written to must not be.

    Follows: qemuDomainPrepareDiskCachemode
    """
    given = disk.driver.cache if disk.driver else None
    if given in (None, "default"):
        return "none" if disk.shareable and not is_read_only(disk) else None
    return given


def is_read_only(disk: Disk) -> bool:
    """Whether nothing may be written: asked for, or a CD."""
    return disk.readonly or disk.device == "cdrom"


def numbered(disks: list[Disk]) -> dict[int, list[Image]]:
    """The chains by `id` of the disk; libvirt numbers images from the last disk on, from the top down."""
    chains: dict[int, list[Image]] = {}
    number = 1
    for disk in reversed(disks):
        if disk.type == "vhostuser" or is_empty(disk):
            continue
        chains[id(disk)] = chain = _chain(disk, number)
        number += len(chain)
    return chains


def blockdevs(launch: Launch, disk: Disk, chain: list[Image]) -> Iterator[str]:
    """`-blockdev` for every image, the lowest first."""
    for image in reversed(chain):
        if image.source.volume is not None:
            place = image.source.file or image.source.dev
            launch.assumed.append(f"volume {image.source.volume} of pool {image.source.pool} -> {place}")
        yield from _objects(launch, image)
        yield from blockdev(_storage(disk, image))
        if (part := _slice(image)) is not None and image.format != "raw":
            node = f"libvirt-{image.number}-slice-sto"
            yield from blockdev(
                {
                    "driver": "raw", "node-name": node, **part, "file": image.storage,
                    "auto-read-only": True, "discard": "unmap", "cache": _cache(disk),
                }
            )  # fmt: skip
        yield from blockdev(_format(disk, image, part))


def _chain(disk: Disk, number: int) -> list[Image]:
    assert disk.source is not None
    driver = disk.driver
    found: list[Image] = []
    below = disk.backing_store
    kind: str = disk.type
    form: str = (driver.type if driver else None) or "raw"
    source, cached = disk.source, driver.metadata_cache if driver else None
    while True:
        under = below.source if below else None
        backing = None if below is None else "" if under is None else f"libvirt-{number + 1}-format"
        if backing and form not in _ON_TOP:
            raise Refused(f"an image of format '{form}' lies on no other", below)
        if kind == "volume":
            kind, source = _volume(disk, source)
        encryption = source.encryption or (disk.encryption if not found else None)
        found.append(Image(number, kind, form, source, encryption, cached, not found, backing))
        if below is None or under is None:
            return found
        number += 1
        kind, form, source, cached, below = _step(below, under)


# Follows: virDomainStorageSourceTranslateSourcePool
def _volume(disk: Disk, source: DiskSource) -> tuple[str, DiskSource]:
    """Storage type and source of a volume, at the place it has in a pool of files or of a SCSI bus."""
    folder = IMAGES if source.pool == "default" else f"{IMAGES}/{source.pool}"
    path = f"{folder}/{source.volume}"
    if disk.device == "lun" or source.mode is not None:
        return "block", evolve(source, dev=path)
    return "file", evolve(source, file=path)


def _step(
    below: DiskBackingStore, source: DiskSource
) -> tuple[str, str, DiskSource, DiskFormatMetadataCache | None, DiskBackingStore | None]:
    given = below.format
    return (
        below.type or "file",
        (given.type if given else None) or "raw",
        source,
        given.metadata_cache if given else None,
        below.backing_store,
    )


def _objects(launch: Launch, image: Image) -> Iterator[str]:
    source = image.source
    held = source.reservations
    if held and held.managed is False:
        path = (held.source.path if held.source else None) or ""
        yield from launch.backend(
            {"qom-type": "pr-manager-helper", "id": f"pr-helper-{image.storage}", "path": path}
        )
    if source.tls:
        yield from launch.backend(
            {
                "qom-type": "tls-creds-x509", "id": f"obj{image.storage}_tls0", "dir": "/etc/pki/qemu",
                "endpoint": "client", "verify-peer": True,
            }
        )  # fmt: skip


def reservations(launch: Launch, disks: list[Disk]) -> Iterator[str]:
    """The helper for persistent reservations that libvirt starts itself.

    Follows: qemuBuildPRManagedManagerInfoProps
    """
    for disk in disks:
        held = disk.source.reservations if disk.source else None
        if held and held.managed:
            path = paths.own(launch.domain, "pr-helper0.sock")
            yield from launch.backend({"qom-type": "pr-manager-helper", "id": "pr-helper0", "path": path})
            return


# Follows: qemuBlockStorageSourceGetBackendProps
def _storage(disk: Disk, image: Image) -> Properties:
    read_only = is_read_only(disk) or not image.is_top
    is_floppy = disk.device == "floppy"
    place = dict(located(image.kind, image.source, image.storage, read_only=read_only, floppy=is_floppy))
    if image.kind in ("file", "block"):
        place["aio"] = disk.driver.io if disk.driver else None
        held = image.source.reservations
        if held:
            place["pr-manager"] = "pr-helper0" if held.managed else f"pr-helper-{image.storage}"
    return {
        **place,
        "node-name": image.storage,
        "cache": _cache(disk),
        "auto-read-only": True,
        "discard": "unmap",
    }


# Follows: qemuBlockStorageSourceGetBlockdevFormatProps
def _format(disk: Disk, image: Image, part: dict[str, Json] | None) -> Properties:
    driver = _DRIVERS.get(image.format)
    if driver is None:
        raise Refused(f"QEMU knows no image format '{image.format}'", image.source)
    given = disk.driver
    discard = given.discard if given else None
    zeroes = given.detect_zeroes if given and image.is_top else None
    if zeroes == "unmap" and discard != "unmap":
        zeroes = "on"  # without discard there is nothing to unmap
    properties: dict[str, Json] = {
        "node-name": image.node,
        "read-only": is_read_only(disk) or not image.is_top,
        "discard": discard,
        "detect-zeroes": zeroes,
        "cache": _cache(disk),
        **_driver(image, driver),
    }
    sliced = part is not None and driver != "raw"
    if part is not None and driver == "raw":
        properties |= part
    properties["file"] = f"libvirt-{image.number}-slice-sto" if sliced else image.storage
    if image.backing is not None and image.format in _ON_TOP:
        properties["backing"] = image.backing or None
    return properties


# Follows: qemuBlockStorageSourceGetFormatRawProps, qemuBlockStorageSourceGetFormatQcow2Props
def _driver(image: Image, driver: str) -> dict[str, Json]:
    key = image.encryption
    name = secret(image.node, "encryption")
    if key is not None and key.engine in (None, "qemu"):
        if driver == "raw" and key.format == "luks":
            return {"driver": "luks", "key-secret": name}
        if driver in ("qcow", "qcow2"):
            if key.format == "luks2":
                raise Refused("QEMU itself does not decrypt luks2", key)
            kind = "aes" if key.format in ("qcow", "default") else key.format
            return {"driver": driver, "encrypt": {"format": kind, "key-secret": name}}
    size = image.metadata_cache.max_size if image.metadata_cache else None
    cached = kib(size, "B") * 1024 if size and driver == "qcow2" else 0
    return {"driver": driver, "cache-size": cached or None}


# Follows: qemuBlockStorageSourceGetBlockdevGetCacheProps
def _cache(disk: Disk) -> dict[str, Json] | None:
    mode = cache_mode(disk)
    if mode is None:
        return None
    direct, no_flush = _CACHES[mode]
    return {"direct": direct, "no-flush": no_flush}


def _slice(image: Image) -> dict[str, Json] | None:
    part = image.source.slices.slice if image.source.slices else None
    return {"offset": part.offset, "size": part.size} if part else None
