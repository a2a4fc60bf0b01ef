"""Devices of the host that are passed through."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from qcaps.domainxml.codec import CHILD, FLAG, ON_OFF, Choose, Element, Name
from qcaps.domainxml.device import Device
from qcaps.domainxml.devices.disksource import StartupPolicy
from qcaps.domainxml.devices.on_host import (
    HostMdevAddress,
    HostPciAddress,
    HostScsiAddress,
    HostUsbAddress,
    Initiator,
    Ip,
    Route,
    SourceHost,
    Teaming,
)
from qcaps.domainxml.devices.secret import Auth
from qcaps.domainxml.element import Node
from qcaps.domainxml.numbers import HEX_ID, YES


class HostdevDriver(Element):
    """Who drives the device on the host meanwhile."""

    TAG: ClassVar[str] = "driver"
    name: Literal["kvm", "vfio", "xen"] | None = None


class HostdevSourceVendor(Element):
    """The maker of a USB device."""

    TAG: ClassVar[str] = "vendor"
    id: HEX_ID


class HostdevSourceProduct(Element):
    """The product of a USB device."""

    TAG: ClassVar[str] = "product"
    id: HEX_ID


class HostdevSourceAdapter(Element):
    """A SCSI adapter of the host, as scsi_host0."""

    TAG: ClassVar[str] = "adapter"
    MERGED: ClassVar[bool] = True
    XPATH: ClassVar[bool] = True
    name: str | None = None


_ADDRESSES: dict[str, type[Element]] = {
    "pci": HostPciAddress,
    "usb": HostUsbAddress,
    "scsi": HostScsiAddress,
    "mdev": HostMdevAddress,
}


def _host_address(node: Node) -> type[Element] | None:
    """The address carries no type; the hostdev around it does. Where it has no such address, none is read."""
    source = node.getparent()
    hostdev = None if source is None else source.getparent()
    if source is None or hostdev is None:
        return None
    kind = hostdev.get("type", "")
    return None if kind == "scsi" and source.get("protocol") == "iscsi" else _ADDRESSES.get(kind)


class HostdevSource(Element):
    """Which device of the host."""

    TAG: ClassVar[str] = "source"
    startup_policy: Annotated[StartupPolicy, Name("startupPolicy")] | None = None
    auto_address: Annotated[bool, Name("autoAddress")] | None = None
    missing: bool | None = None
    guest_reset: Annotated[Literal["off", "uninitialized", "on"], Name("guestReset")] | None = None
    write_filtering: Annotated[bool, Name("writeFiltering")] | None = None
    protocol: Literal["adapter", "iscsi", "none", "vhost"] | None = None
    name: str | None = None
    wwpn: str | None = None
    vendor: HostdevSourceVendor | None = None
    product: HostdevSourceProduct | None = None
    host: tuple[SourceHost, ...] = ()
    auth: Auth | None = None
    initiator: Initiator | None = None
    adapter: HostdevSourceAdapter | None = None
    address: (
        Annotated[HostPciAddress | HostUsbAddress | HostScsiAddress | HostMdevAddress, Choose(_host_address)]
        | None
    ) = None
    block: Annotated[str, CHILD] | None = None
    char: Annotated[str, CHILD] | None = None
    interface: Annotated[str, CHILD] | None = None


_NO_SOURCE = HostdevSource()


class Hostdev(Device):
    """A device of the host that the guest gets; `managed`: libvirt detaches it from the host itself."""

    TAG: ClassVar[str] = "hostdev"
    UNREAD: ClassVar[frozenset[str]] = frozenset()
    mode: Literal["subsystem", "capabilities"] = "subsystem"
    type: Literal["usb", "pci", "scsi", "scsi_host", "mdev", "storage", "misc", "net"]
    managed: YES | None = None
    sgio: Literal["filtered", "unfiltered"] | None = None
    rawio: bool | None = None
    model: str | None = None
    display: Annotated[bool, ON_OFF] | None = None
    ramfb: Annotated[bool, ON_OFF] | None = None
    driver: HostdevDriver | None = None
    source: HostdevSource = _NO_SOURCE
    ip: tuple[Ip, ...] = ()
    route: tuple[Route, ...] = ()
    teaming: Teaming | None = None
    readonly: Annotated[bool, FLAG] = False
    shareable: Annotated[bool, FLAG] = False

    def refusal(self) -> str:
        """A type of the other mode, or a model of another type."""
        if "source" not in self.__dict__:
            return "<source> is missing"
        if self.type not in _TYPES[self.mode]:
            return f"type '{self.type}' is unknown for mode {self.mode}"
        models = _MODELS.get(self.type)
        if models is None:
            return ""
        if self.model is None:
            return "attribute model is missing" if self.type == "mdev" else ""
        return "" if self.model in models else f"model '{self.model[:40]}' is not one of {', '.join(models)}"


_TYPES = {
    "subsystem": ("usb", "pci", "scsi", "scsi_host", "mdev"),
    "capabilities": ("storage", "misc", "net"),
}
_MODELS = {
    "mdev": ("vfio-pci", "vfio-ccw", "vfio-ap"),
    "scsi_host": ("default", "virtio", "virtio-transitional", "virtio-non-transitional"),
}
