"""Disks, CD-ROM drives and floppies."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, ClassVar, Literal

from qcaps.domainxml.codec import CHILD, FLAG, ON_OFF, Element, Name, Newer
from qcaps.domainxml.device import Device
from qcaps.domainxml.devices.disksource import (
    DiskFormat,
    DiskFormatMetadataCache,
    DiskSource,
    FileFormat,
    StorageType,
)
from qcaps.domainxml.devices.on_host import BackendDomain
from qcaps.domainxml.devices.secret import Auth, Encryption
from qcaps.domainxml.devices.virtio import DriverIothreads, VirtioDriver, VirtioModel
from qcaps.domainxml.element import Node
from qcaps.domainxml.syntax import POSITIVE, U32, U64
from qcaps.release import R11_3, R12_8

ErrorPolicy = Literal["stop", "report", "ignore", "enospace"]


class DiskDriver(VirtioDriver):
    """How QEMU opens the image and serves the guest."""

    name: str | None = None
    type: Literal[FileFormat, "aio"] | None = None
    cache: Literal["default", "none", "writethrough", "writeback", "directsync", "unsafe"] | None = None
    error_policy: ErrorPolicy | None = None
    rerror_policy: ErrorPolicy | None = None
    io: Literal["native", "threads", "io_uring"] | None = None
    ioeventfd: Annotated[bool, ON_OFF] | None = None
    event_idx: Annotated[bool, ON_OFF] | None = None
    copy_on_read: Annotated[bool, ON_OFF] | None = None
    discard: Literal["unmap", "ignore"] | None = None
    iothread: POSITIVE | None = None
    detect_zeroes: Literal["off", "on", "unmap"] | None = None
    queues: U32 | None = None
    queue_size: U32 | None = None
    discard_no_unref: Annotated[bool, ON_OFF, Newer(R11_3)] | None = None
    iothreads: Annotated[DriverIothreads, Newer(R11_3)] | None = None
    metadata_cache: DiskFormatMetadataCache | None = None


class DiskBackingStore(Element):
    """The image under an image; one without a type ends the chain, whatever is in it."""

    TAG: ClassVar[str] = "backingStore"
    type: StorageType | None = None
    format: DiskFormat | None = None
    source: DiskSource | None = None
    backing_store: Annotated[DiskBackingStore, Name("backingStore")] | None = None

    @staticmethod
    def passed_over(node: Node) -> Collection[str]:
        """Everything where there is no type (virDomainDiskBackingStoreParse)."""
        return () if "type" in node.attrib else ("format", "source", "backingStore")


class DiskGeometry(Element):
    """Cylinders, heads and sectors that the guest is told."""

    TAG: ClassVar[str] = "geometry"
    cyls: U32 | None = None
    heads: U32 | None = None
    secs: U32 | None = None
    trans: Literal["none", "auto", "lba"] | None = None


class DiskBlockio(Element):
    """Block sizes that the guest is told."""

    TAG: ClassVar[str] = "blockio"
    logical_block_size: U32 | None = None
    physical_block_size: U32 | None = None
    discard_granularity: Annotated[U32, Newer(R11_3)] | None = None


class DiskTarget(Element):
    """The name that decides the place on a bus, and the bus."""

    TAG: ClassVar[str] = "target"
    dev: str
    bus: Literal["ide", "fdc", "scsi", "virtio", "xen", "usb", "uml", "sata", "sd"] | None = None
    tray: Literal["closed", "open"] | None = None
    removable: Annotated[bool, ON_OFF] | None = None
    rotation_rate: U32 | None = None


class DiskIotune(Element):
    """Limits on the traffic of a disk, in bytes and operations a second; lengths in seconds."""

    TAG: ClassVar[str] = "iotune"
    MERGED: ClassVar[bool] = True
    XPATH: ClassVar[bool] = True
    total_bytes_sec: Annotated[U64, CHILD] | None = None
    read_bytes_sec: Annotated[U64, CHILD] | None = None
    write_bytes_sec: Annotated[U64, CHILD] | None = None
    total_iops_sec: Annotated[U64, CHILD] | None = None
    read_iops_sec: Annotated[U64, CHILD] | None = None
    write_iops_sec: Annotated[U64, CHILD] | None = None
    total_bytes_sec_max: Annotated[U64, CHILD] | None = None
    read_bytes_sec_max: Annotated[U64, CHILD] | None = None
    write_bytes_sec_max: Annotated[U64, CHILD] | None = None
    total_iops_sec_max: Annotated[U64, CHILD] | None = None
    read_iops_sec_max: Annotated[U64, CHILD] | None = None
    write_iops_sec_max: Annotated[U64, CHILD] | None = None
    size_iops_sec: Annotated[U64, CHILD] | None = None
    group_name: Annotated[str, CHILD] | None = None
    total_bytes_sec_max_length: Annotated[U64, CHILD] | None = None
    read_bytes_sec_max_length: Annotated[U64, CHILD] | None = None
    write_bytes_sec_max_length: Annotated[U64, CHILD] | None = None
    total_iops_sec_max_length: Annotated[U64, CHILD] | None = None
    read_iops_sec_max_length: Annotated[U64, CHILD] | None = None
    write_iops_sec_max_length: Annotated[U64, CHILD] | None = None


class DiskTransient(Element):
    """What the guest writes is thrown away."""

    TAG: ClassVar[str] = "transient"
    share_backing: Annotated[bool, Name("shareBacking")] | None = None


class Disk(Device):
    """A disk, a CD-ROM drive, a floppy, or a logical unit passed through."""

    TAG: ClassVar[str] = "disk"
    UNREAD: ClassVar[frozenset[str]] = frozenset({"rom"})
    type: StorageType = "file"
    device: Literal["disk", "cdrom", "floppy", "lun"] = "disk"
    model: (
        Annotated[
            Literal["default", VirtioModel, "usb-storage", "usb-bot"],
            Newer(R12_8, ("usb-storage", "usb-bot")),
        ]
        | None
    ) = None
    rawio: bool | None = None
    sgio: Literal["filtered", "unfiltered"] | None = None
    snapshot: Literal["no", "internal", "external", "manual"] | None = None
    driver: DiskDriver | None = None
    auth: Auth | None = None
    source: DiskSource | None = None
    backing_store: Annotated[DiskBackingStore, Name("backingStore")] | None = None
    backenddomain: BackendDomain | None = None
    geometry: DiskGeometry | None = None
    blockio: DiskBlockio | None = None
    target: DiskTarget | None = None
    iotune: DiskIotune | None = None
    readonly: Annotated[bool, FLAG] = False
    shareable: Annotated[bool, FLAG] = False
    transient: DiskTransient | None = None
    serial: Annotated[str, CHILD] | None = None
    wwn: Annotated[str, CHILD] | None = None
    vendor: Annotated[str, CHILD] | None = None
    product: Annotated[str, CHILD] | None = None
    encryption: Encryption | None = None
