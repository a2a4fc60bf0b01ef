"""Where on the host a device or a volume is found."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from qcaps.domainxml.codec import CHILD, Element, Hex
from qcaps.domainxml.numbers import ANY_U32, ANY_U64
from qcaps.domainxml.syntax import POSITIVE, U32


class HostPciAddress(Element):
    """A PCI function of the host."""

    TAG: ClassVar[str] = "address"
    type: Literal["pci"] | None = None
    domain: Annotated[ANY_U32, Hex(4)] | None = None
    bus: Annotated[ANY_U32, Hex(2)] | None = None
    slot: Annotated[ANY_U32, Hex(2)] | None = None
    function: Annotated[ANY_U32, Hex(1)] | None = None


class HostUsbAddress(Element):
    """A device of the host's USB by where it is plugged in."""

    TAG: ClassVar[str] = "address"
    type: Literal["usb"] | None = None
    bus: U32
    device: U32


class HostScsiAddress(Element):
    """A logical unit behind a SCSI adapter of the host."""

    TAG: ClassVar[str] = "address"
    type: Literal["scsi"] | None = None
    bus: ANY_U32
    target: ANY_U32
    unit: ANY_U64


class HostMdevAddress(Element):
    """A mediated device of the host."""

    TAG: ClassVar[str] = "address"
    uuid: str


class InitiatorIqn(Element):
    """The iSCSI name."""

    TAG: ClassVar[str] = "iqn"
    MERGED: ClassVar[bool] = True
    XPATH: ClassVar[bool] = True
    name: str | None = None


class Initiator(Element):
    """The iSCSI name under which QEMU logs in."""

    TAG: ClassVar[str] = "initiator"
    MERGED: ClassVar[bool] = True
    XPATH: ClassVar[bool] = True
    iqn: InitiatorIqn | None = None


class SourceHost(Element):
    """A server that offers a volume, by name and port or by socket."""

    TAG: ClassVar[str] = "host"
    name: str | None = None
    port: U32 | None = None
    transport: Literal["tcp", "unix", "rdma"] | None = None
    socket: str | None = None


class SourceReconnect(Element):
    """Whether and after how many seconds QEMU connects again."""

    TAG: ClassVar[str] = "reconnect"
    enabled: bool | None = None
    timeout: U32 | None = None


class SourceSeclabel(Element):
    """The label of one file under one security model."""

    TAG: ClassVar[str] = "seclabel"
    model: str | None = None
    relabel: bool | None = None
    label: Annotated[str, CHILD] | None = None


class Ip(Element):
    """An IP address to be set, in the guest or on the host."""

    TAG: ClassVar[str] = "ip"
    address: str
    family: str | None = None
    prefix: U32 | None = None
    peer: str | None = None


class Route(Element):
    """A route to be set, in the guest or on the host."""

    TAG: ClassVar[str] = "route"
    family: str | None = None
    address: str | None = None
    netmask: str | None = None
    prefix: U32 | None = None
    gateway: str | None = None
    metric: U32 | None = None


class Teaming(Element):
    """One of two NICs that fail over to each other; the transient one names the persistent one."""

    TAG: ClassVar[str] = "teaming"
    MERGED: ClassVar[bool] = True
    XPATH: ClassVar[bool] = True
    type: Literal["persistent", "transient"] | None = None
    persistent: str | None = None

    def refusal(self) -> str:
        """A partner without a type."""
        return "attribute type is missing" if self.type is None and self.persistent is not None else ""


class AudioId(Element):
    """The `<audio>` device that sounds go to."""

    TAG: ClassVar[str] = "audio"
    id: POSITIVE


class BackendDomain(Element):
    """The Xen domain that serves the device."""

    TAG: ClassVar[str] = "backenddomain"
    MERGED: ClassVar[bool] = True
    XPATH: ClassVar[bool] = True
    name: str | None = None
