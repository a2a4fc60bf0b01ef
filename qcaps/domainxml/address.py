"""`<address>` elements: where a device sits, one class a type."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from qcaps.domainxml.codec import ON_OFF, Element, Hex
from qcaps.domainxml.numbers import ANY_U32, BASE_16_U32, BASE_16_U64
from qcaps.domainxml.syntax import AS_INT, U32


class Zpci(Element):
    """The s390 extension of a PCI address."""

    TAG: ClassVar[str] = "zpci"
    uid: Annotated[ANY_U32, Hex(4)] | None = None
    fid: Annotated[ANY_U32, Hex(8)] | None = None


class PciAddress(Element):
    """A PCI function; all four numbers 0 where the file leaves them out."""

    TAG: ClassVar[str] = "address"
    TYPE: ClassVar[str] = "pci"
    type: Literal["pci"] = "pci"
    domain: Annotated[ANY_U32, Hex(4)] | None = None
    bus: Annotated[ANY_U32, Hex(2)] | None = None
    slot: Annotated[ANY_U32, Hex(2)] | None = None
    function: Annotated[ANY_U32, Hex(1)] | None = None
    multifunction: Annotated[bool, ON_OFF] | None = None
    zpci: Zpci | None = None


class DriveAddress(Element):
    """A place on a disk controller."""

    TAG: ClassVar[str] = "address"
    TYPE: ClassVar[str] = "drive"
    type: Literal["drive"] = "drive"
    controller: Annotated[U32, AS_INT] | None = None
    bus: Annotated[U32, AS_INT] | None = None
    target: Annotated[U32, AS_INT] | None = None
    unit: Annotated[U32, AS_INT] | None = None


class VirtioSerialAddress(Element):
    """A port of a virtio-serial controller; port 0 of bus 0 belongs to consoles."""

    TAG: ClassVar[str] = "address"
    TYPE: ClassVar[str] = "virtio-serial"
    type: Literal["virtio-serial"] = "virtio-serial"
    controller: Annotated[U32, AS_INT] | None = None
    bus: Annotated[U32, AS_INT] | None = None
    port: Annotated[U32, AS_INT] | None = None


class CcidAddress(Element):
    """A slot of a smartcard controller."""

    TAG: ClassVar[str] = "address"
    TYPE: ClassVar[str] = "ccid"
    type: Literal["ccid"] = "ccid"
    controller: Annotated[U32, AS_INT] | None = None
    slot: Annotated[U32, AS_INT] | None = None


class UsbAddress(Element):
    """A USB port, as 1.2.3 through hubs."""

    TAG: ClassVar[str] = "address"
    TYPE: ClassVar[str] = "usb"
    type: Literal["usb"] = "usb"
    bus: U32 | None = None
    port: str | None = None


class SpaprVioAddress(Element):
    """A register of pseries' virtual I/O bus."""

    TAG: ClassVar[str] = "address"
    TYPE: ClassVar[str] = "spapr-vio"
    type: Literal["spapr-vio"] = "spapr-vio"
    reg: Annotated[BASE_16_U64, Hex(8)] | None = None


class CcwAddress(Element):
    """A channel subsystem address of s390."""

    TAG: ClassVar[str] = "address"
    TYPE: ClassVar[str] = "ccw"
    type: Literal["ccw"] = "ccw"
    cssid: Annotated[ANY_U32, Hex(1)] | None = None
    ssid: Annotated[ANY_U32, Hex(1)] | None = None
    devno: Annotated[ANY_U32, Hex(4)] | None = None


class VirtioS390Address(Element):
    """The old s390 virtio bus; QEMU places the device itself."""

    TAG: ClassVar[str] = "address"
    TYPE: ClassVar[str] = "virtio-s390"
    type: Literal["virtio-s390"] = "virtio-s390"


class VirtioMmioAddress(Element):
    """A memory-mapped virtio device; QEMU places it itself."""

    TAG: ClassVar[str] = "address"
    TYPE: ClassVar[str] = "virtio-mmio"
    type: Literal["virtio-mmio"] = "virtio-mmio"


class IsaAddress(Element):
    """Port and interrupt on the ISA bus."""

    TAG: ClassVar[str] = "address"
    TYPE: ClassVar[str] = "isa"
    type: Literal["isa"] = "isa"
    iobase: BASE_16_U32 | None = None
    irq: BASE_16_U32 | None = None


class DimmAddress(Element):
    """A memory slot."""

    TAG: ClassVar[str] = "address"
    TYPE: ClassVar[str] = "dimm"
    type: Literal["dimm"] = "dimm"
    slot: U32
    base: BASE_16_U64 | None = None


class UnassignedAddress(Element):
    """A host device the guest is not to see."""

    TAG: ClassVar[str] = "address"
    TYPE: ClassVar[str] = "unassigned"
    type: Literal["unassigned"] = "unassigned"


Address = (
    PciAddress
    | DriveAddress
    | VirtioSerialAddress
    | CcidAddress
    | UsbAddress
    | SpaprVioAddress
    | CcwAddress
    | VirtioS390Address
    | VirtioMmioAddress
    | IsaAddress
    | DimmAddress
    | UnassignedAddress
)
