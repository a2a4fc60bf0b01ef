"""Where a disk's data lies."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, ClassVar, Final, Literal

from qcaps.domainxml.codec import TEXT, Choose, Element, Name
from qcaps.domainxml.devices.on_host import (
    HostPciAddress,
    Initiator,
    SourceHost,
    SourceReconnect,
    SourceSeclabel,
)
from qcaps.domainxml.devices.secret import Auth, Encryption
from qcaps.domainxml.element import Node
from qcaps.domainxml.memory import Size
from qcaps.domainxml.syntax import U64, WRAPPED_U64

StorageType = Literal["file", "block", "dir", "network", "volume", "nvme", "vhostuser"]
FileFormat = Literal[
    "raw", "dir", "bochs", "cloop", "dmg", "iso", "vpc", "vdi",
    "fat", "vhd", "ploop", "cow", "qcow", "qcow2", "qed", "vmdk",
]  # fmt: skip
StartupPolicy = Literal["mandatory", "requisite", "optional"]

_READ: Final[dict[str, frozenset[str]]] = {
    "file": frozenset({"file", "fdgroup"}),
    "block": frozenset({"dev"}),
    "dir": frozenset({"dir"}),
    "network": frozenset(
        {"protocol", "name", "tls", "tlsHostname", "host", "snapshot", "config", "initiator"}
    ),
    "volume": frozenset({"pool", "volume", "mode"}),
    "nvme": frozenset({"type", "managed", "namespace", "address"}),
    "vhostuser": frozenset({"type", "path", "reconnect"}),
}
"""What is read of a source of each type alone."""

_WEB: Final = frozenset({"readahead", "timeout"})
_READ_BY_PROTOCOL: Final[dict[str, frozenset[str]]] = {
    "http": _WEB | {"query", "cookies"},
    "https": _WEB | {"query", "cookies", "ssl"},
    "ftp": _WEB,
    "ftps": _WEB | {"ssl"},
    "nfs": frozenset({"identity"}),
}
"""What is read beside, on the network."""

_ONLY_SOMETIMES: Final = frozenset().union(*_READ.values(), *_READ_BY_PROTOCOL.values())


class DiskFormatMetadataCache(Element):
    """How much of the image's own tables QEMU keeps in memory."""

    TAG: ClassVar[str] = "metadata_cache"
    MERGED: ClassVar[bool] = True
    XPATH: ClassVar[bool] = True
    max_size: Size | None = None


class DiskFormat(Element):
    """The format of an image under another, or of a copy."""

    TAG: ClassVar[str] = "format"
    MERGED: ClassVar[bool] = True
    XPATH: ClassVar[bool] = True
    type: FileFormat | None = None
    metadata_cache: DiskFormatMetadataCache | None = None


class DiskSourceIdentity(Element):
    """User and group on an NFS server."""

    TAG: ClassVar[str] = "identity"
    user: str | None = None
    group: str | None = None


class DiskSourceSnapshot(Element):
    """A snapshot inside an RBD volume."""

    TAG: ClassVar[str] = "snapshot"
    MERGED: ClassVar[bool] = True
    XPATH: ClassVar[bool] = True
    name: str | None = None


class DiskSourceConfig(Element):
    """A configuration file of the storage client."""

    TAG: ClassVar[str] = "config"
    MERGED: ClassVar[bool] = True
    XPATH: ClassVar[bool] = True
    file: str | None = None


class DiskSourceSsl(Element):
    """Whether the server's certificate is checked."""

    TAG: ClassVar[str] = "ssl"
    verify: bool | None = None


class DiskSourceCookie(Element):
    """A cookie of an HTTP source."""

    TAG: ClassVar[str] = "cookie"
    name: str
    text: Annotated[str, TEXT] | None = None


class DiskSourceCookies(Element):
    """The cookies of an HTTP source."""

    TAG: ClassVar[str] = "cookies"
    cookie: tuple[DiskSourceCookie, ...] = ()


class DiskSourceReadahead(Element):
    """How many bytes an HTTP source reads ahead."""

    TAG: ClassVar[str] = "readahead"
    MERGED: ClassVar[bool] = True
    XPATH: ClassVar[bool] = True
    size: U64 | None = None


class DiskSourceTimeout(Element):
    """How long an HTTP source waits."""

    TAG: ClassVar[str] = "timeout"
    MERGED: ClassVar[bool] = True
    XPATH: ClassVar[bool] = True
    seconds: U64 | None = None


class DiskSourceSlice(Element):
    """A part of a file or device, in bytes."""

    TAG: ClassVar[str] = "slice"
    XPATH: ClassVar[bool] = True
    type: str | None = None
    offset: U64
    size: U64


def _storage_slice(node: Node) -> type[Element] | None:
    return DiskSourceSlice if node.get("type") == "storage" else None


class DiskSourceSlices(Element):
    """Parts of a file or device; the first of type storage is used, and no other is read."""

    TAG: ClassVar[str] = "slices"
    MERGED: ClassVar[bool] = True
    slice: Annotated[DiskSourceSlice, Choose(_storage_slice)] | None = None


class DiskSourceReservationsSource(Element):
    """The socket of the helper for persistent reservations."""

    TAG: ClassVar[str] = "source"
    type: Literal["unix"] | None = None
    path: str | None = None
    mode: Literal["client"] | None = None


class DiskSourceReservations(Element):
    """Persistent reservations, by a helper that libvirt starts (managed) or not."""

    TAG: ClassVar[str] = "reservations"
    managed: bool | None = None
    source: DiskSourceReservationsSource | None = None


class DiskSource(Element):
    """Where the data lies; which attributes count depends on the type of the disk."""

    TAG: ClassVar[str] = "source"
    file: str | None = None
    fdgroup: str | None = None
    dev: str | None = None
    dir: str | None = None
    protocol: (
        Literal[
            "none", "nbd", "rbd", "sheepdog", "gluster", "iscsi", "http",
            "https", "ftp", "ftps", "tftp", "ssh", "vxhs", "nfs",
        ]
        | None
    ) = None  # fmt: skip
    name: str | None = None
    query: str | None = None
    tls: bool | None = None
    tls_hostname: Annotated[str, Name("tlsHostname")] | None = None
    pool: str | None = None
    volume: str | None = None
    mode: Literal["host", "direct"] | None = None
    type: str | None = None
    managed: bool | None = None
    namespace: WRAPPED_U64 | None = None
    path: str | None = None
    startup_policy: Annotated[StartupPolicy, Name("startupPolicy")] | None = None
    host: tuple[SourceHost, ...] = ()
    identity: DiskSourceIdentity | None = None
    snapshot: DiskSourceSnapshot | None = None
    config: DiskSourceConfig | None = None
    initiator: Initiator | None = None
    ssl: DiskSourceSsl | None = None
    cookies: DiskSourceCookies | None = None
    readahead: DiskSourceReadahead | None = None
    timeout: DiskSourceTimeout | None = None
    address: HostPciAddress | None = None
    reconnect: SourceReconnect | None = None
    slices: DiskSourceSlices | None = None
    seclabel: tuple[SourceSeclabel, ...] = ()
    auth: Auth | None = None
    encryption: Encryption | None = None
    reservations: DiskSourceReservations | None = None

    @staticmethod
    def passed_over(node: Node) -> Collection[str]:
        """What is for other types, or protocols (virDomainStorageSourceParse)."""
        parent = node.getparent()
        kind = "file" if parent is None else parent.get("type", "file")
        unread = _ONLY_SOMETIMES - _READ.get(kind, frozenset())
        if kind == "network":
            unread -= _READ_BY_PROTOCOL.get(node.get("protocol", ""), frozenset())
        return unread if parent is None or parent.tag == "disk" else unread | {"startupPolicy"}
