"""`<address>` elements: where a device sits, one class a type."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from qcaps.domain.codec import ON_OFF, Element, Hex


@dataclass(frozen=True, kw_only=True)
class Zpci(Element):
    """The s390 extension of a PCI address."""

    TAG: ClassVar[str] = "zpci"
    uid: Annotated[int, Hex(4)] | None = None
    fid: Annotated[int, Hex(8)] | None = None


@dataclass(frozen=True, kw_only=True)
class PciAddress(Element):
    """A PCI function; all four numbers 0 where the file leaves them out."""

    TAG: ClassVar[str] = "address"
    TYPE: ClassVar[str] = "pci"
    type: Literal["pci"] = "pci"
    domain: Annotated[int, Hex(4)] | None = None
    bus: Annotated[int, Hex(2)] | None = None
    slot: Annotated[int, Hex(2)] | None = None
    function: Annotated[int, Hex(1)] | None = None
    multifunction: Annotated[bool, ON_OFF] | None = None
    zpci: Zpci | None = None


@dataclass(frozen=True, kw_only=True)
class DriveAddress(Element):
    """A place on a disk controller."""

    TAG: ClassVar[str] = "address"
    TYPE: ClassVar[str] = "drive"
    type: Literal["drive"] = "drive"
    controller: int | None = None
    bus: int | None = None
    target: int | None = None
    unit: int | None = None


@dataclass(frozen=True, kw_only=True)
class VirtioSerialAddress(Element):
    """A port of a virtio-serial controller; port 0 of bus 0 belongs to consoles."""

    TAG: ClassVar[str] = "address"
    TYPE: ClassVar[str] = "virtio-serial"
    type: Literal["virtio-serial"] = "virtio-serial"
    controller: int | None = None
    bus: int | None = None
    port: int | None = None


@dataclass(frozen=True, kw_only=True)
class CcidAddress(Element):
    """A slot of a smartcard controller."""

    TAG: ClassVar[str] = "address"
    TYPE: ClassVar[str] = "ccid"
    type: Literal["ccid"] = "ccid"
    controller: int | None = None
    slot: int | None = None


@dataclass(frozen=True, kw_only=True)
class UsbAddress(Element):
    """A USB port, as 1.2.3 through hubs."""

    TAG: ClassVar[str] = "address"
    TYPE: ClassVar[str] = "usb"
    type: Literal["usb"] = "usb"
    bus: int | None = None
    port: str | None = None


@dataclass(frozen=True, kw_only=True)
class SpaprVioAddress(Element):
    """A register of pseries' virtual I/O bus."""

    TAG: ClassVar[str] = "address"
    TYPE: ClassVar[str] = "spapr-vio"
    type: Literal["spapr-vio"] = "spapr-vio"
    reg: Annotated[int, Hex(8)] | None = None


@dataclass(frozen=True, kw_only=True)
class CcwAddress(Element):
    """A channel subsystem address of s390."""

    TAG: ClassVar[str] = "address"
    TYPE: ClassVar[str] = "ccw"
    type: Literal["ccw"] = "ccw"
    cssid: Annotated[int, Hex(1)] | None = None
    ssid: Annotated[int, Hex(1)] | None = None
    devno: Annotated[int, Hex(4)] | None = None


@dataclass(frozen=True, kw_only=True)
class VirtioS390Address(Element):
    """The old s390 virtio bus; QEMU places the device itself."""

    TAG: ClassVar[str] = "address"
    TYPE: ClassVar[str] = "virtio-s390"
    type: Literal["virtio-s390"] = "virtio-s390"


@dataclass(frozen=True, kw_only=True)
class VirtioMmioAddress(Element):
    """A memory-mapped virtio device; QEMU places it itself."""

    TAG: ClassVar[str] = "address"
    TYPE: ClassVar[str] = "virtio-mmio"
    type: Literal["virtio-mmio"] = "virtio-mmio"


@dataclass(frozen=True, kw_only=True)
class IsaAddress(Element):
    """Port and interrupt on the ISA bus."""

    TAG: ClassVar[str] = "address"
    TYPE: ClassVar[str] = "isa"
    type: Literal["isa"] = "isa"
    iobase: Annotated[int, Hex(1)] | None = None
    irq: Annotated[int, Hex(1)] | None = None


@dataclass(frozen=True, kw_only=True)
class DimmAddress(Element):
    """A memory slot."""

    TAG: ClassVar[str] = "address"
    TYPE: ClassVar[str] = "dimm"
    type: Literal["dimm"] = "dimm"
    slot: int | None = None
    base: Annotated[int, Hex(1)] | None = None


@dataclass(frozen=True, kw_only=True)
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
