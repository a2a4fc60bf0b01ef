"""What every device kind may have."""

from __future__ import annotations

from typing import Annotated, ClassVar, Final

from qcaps.domainxml.address import Address
from qcaps.domainxml.codec import ON_OFF, Element
from qcaps.domainxml.syntax import POSITIVE, U32


class Alias(Element):
    """The name a device has inside QEMU; a user's own begins with ua-."""

    TAG: ClassVar[str] = "alias"
    MERGED: ClassVar[bool] = True
    XPATH: ClassVar[bool] = True
    name: str | None = None


class DeviceBoot(Element):
    """`<boot order=…>` of one device."""

    TAG: ClassVar[str] = "boot"
    order: POSITIVE
    loadparm: str | None = None


class DeviceMaster(Element):
    """The first port that a companion of a USB 2 controller serves."""

    TAG: ClassVar[str] = "master"
    startport: U32 | None = None


class Acpi(Element):
    """`<acpi index=…>`: the name the guest gives a NIC."""

    TAG: ClassVar[str] = "acpi"
    index: POSITIVE | None = None


class Rom(Element):
    """The option ROM of a PCI device."""

    TAG: ClassVar[str] = "rom"
    enabled: bool | None = None
    bar: Annotated[bool, ON_OFF] | None = None
    file: str | None = None


NO_INFO: Final = frozenset({"boot", "alias", "master", "rom", "acpi", "address"})
"""What a kind does not read that libvirt knows no information of."""


class Device(Element):
    """Base of every device kind: written after the fields of the kind itself, as libvirt does.

    Few kinds boot or have an option ROM; the others pass over both (virDomainDeviceInfoParseXML).
    """

    UNREAD: ClassVar[frozenset[str]] = frozenset({"boot", "rom"})
    boot: DeviceBoot | None = None
    alias: Alias | None = None
    master: DeviceMaster | None = None
    rom: Rom | None = None
    acpi: Acpi | None = None
    address: Address | None = None
