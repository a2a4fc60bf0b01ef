"""Network interfaces."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, ClassVar, Final, Literal

from qcaps.domainxml.codec import CHILD, ON_OFF, Element, Name
from qcaps.domainxml.device import Device
from qcaps.domainxml.devices.interfacesource import (
    InterfaceBandwidth,
    InterfaceSource,
    InterfaceVirtualport,
    InterfaceVlan,
)
from qcaps.domainxml.devices.on_host import BackendDomain, Ip, Route, Teaming
from qcaps.domainxml.devices.virtio import VirtioDriver
from qcaps.domainxml.element import Node
from qcaps.domainxml.numbers import YES
from qcaps.domainxml.syntax import POSITIVE, U32, U64


class InterfaceMac(Element):
    """The hardware address; libvirt makes one up where it is missing."""

    TAG: ClassVar[str] = "mac"
    address: str | None = None
    type: Literal["generated", "static"] | None = None
    check: bool | None = None


class InterfacePort(Element):
    """Whether the port of the bridge talks to other isolated ones."""

    TAG: ClassVar[str] = "port"
    isolated: bool | None = None


class InterfacePortForwardRange(Element):
    """Ports that are forwarded, or left out."""

    TAG: ClassVar[str] = "range"
    start: POSITIVE | None = None
    end: POSITIVE | None = None
    to: POSITIVE | None = None
    exclude: bool | None = None


class InterfacePortForward(Element):
    """Ports of the host that passt hands to the guest."""

    TAG: ClassVar[str] = "portForward"
    proto: Literal["tcp", "udp"]
    address: str | None = None
    dev: str | None = None
    range: tuple[InterfacePortForwardRange, ...] = ()


class InterfaceScript(Element):
    """A script that sets the host's side up."""

    TAG: ClassVar[str] = "script"
    MERGED: ClassVar[bool] = True
    XPATH: ClassVar[bool] = True
    path: str | None = None


class InterfaceDownscript(Element):
    """A script that takes the host's side down."""

    TAG: ClassVar[str] = "downscript"
    MERGED: ClassVar[bool] = True
    XPATH: ClassVar[bool] = True
    path: str | None = None


class InterfaceTarget(Element):
    """The name of the host's side; libvirt drops the names it makes itself."""

    TAG: ClassVar[str] = "target"
    dev: str | None = None
    managed: bool | None = None


class InterfaceGuest(Element):
    """The name of the guest's side (containers)."""

    TAG: ClassVar[str] = "guest"
    MERGED: ClassVar[bool] = True
    XPATH: ClassVar[bool] = True
    dev: str | None = None
    actual: str | None = None


class InterfaceModel(Element):
    """The device QEMU emulates; libvirt takes any word."""

    TAG: ClassVar[str] = "model"
    MERGED: ClassVar[bool] = True
    XPATH: ClassVar[bool] = True
    type: str | None = None


class InterfaceDriverHost(Element):
    """Offloads that the host's side offers."""

    TAG: ClassVar[str] = "host"
    csum: Annotated[bool, ON_OFF] | None = None
    gso: Annotated[bool, ON_OFF] | None = None
    tso4: Annotated[bool, ON_OFF] | None = None
    tso6: Annotated[bool, ON_OFF] | None = None
    ecn: Annotated[bool, ON_OFF] | None = None
    ufo: Annotated[bool, ON_OFF] | None = None
    mrg_rxbuf: Annotated[bool, ON_OFF] | None = None


class InterfaceDriverGuest(Element):
    """Offloads that the guest's side offers."""

    TAG: ClassVar[str] = "guest"
    csum: Annotated[bool, ON_OFF] | None = None
    tso4: Annotated[bool, ON_OFF] | None = None
    tso6: Annotated[bool, ON_OFF] | None = None
    ecn: Annotated[bool, ON_OFF] | None = None
    ufo: Annotated[bool, ON_OFF] | None = None


_VIRTIO_NICS: Final = frozenset({"virtio", "virtio-transitional", "virtio-non-transitional"})
_OF_VIRTIO_NICS: Final = frozenset(
    {
        "name", "txmode", "ioeventfd", "event_idx", "queues", "rx_queue_size", "tx_queue_size", "rss",
        "rss_hash_report", "host", "guest",
    }
)  # fmt: skip


class InterfaceDriver(VirtioDriver):
    """How QEMU or vhost serves the queues."""

    name: Literal["qemu", "vhost", "kvm", "vfio", "xen"] | None = None
    txmode: Literal["iothread", "timer"] | None = None
    ioeventfd: Annotated[bool, ON_OFF] | None = None
    event_idx: Annotated[bool, ON_OFF] | None = None
    queues: U32 | None = None
    rx_queue_size: U32 | None = None
    tx_queue_size: U32 | None = None
    rss: Annotated[bool, ON_OFF] | None = None
    rss_hash_report: Annotated[bool, ON_OFF] | None = None
    host: InterfaceDriverHost | None = None
    guest: InterfaceDriverGuest | None = None

    @staticmethod
    def passed_over(node: Node) -> Collection[str]:
        """All but what any virtio device has, where the NIC is not said to be one.

        virDomainNetDefParseXMLDriver
        """
        nic = node.getparent()
        if nic is not None and nic.get("type") == "hostdev":
            return _OF_VIRTIO_NICS - {"name"}
        models = () if nic is None else nic.iterfind("model[@type]")
        return () if next((one.get("type") for one in models), None) in _VIRTIO_NICS else _OF_VIRTIO_NICS


class InterfaceBackend(Element):
    """What serves the NIC on the host: passt, or other device files for tap and vhost."""

    TAG: ClassVar[str] = "backend"
    type: Literal["passt"] | None = None
    tap: str | None = None
    vhost: str | None = None
    log_file: Annotated[str, Name("logFile")] | None = None


class InterfaceFilterrefParameter(Element):
    """A variable of a network filter."""

    TAG: ClassVar[str] = "parameter"
    name: str | None = None
    value: str | None = None


class InterfaceFilterref(Element):
    """The network filter that the traffic passes."""

    TAG: ClassVar[str] = "filterref"
    filter: str | None = None
    parameter: tuple[InterfaceFilterrefParameter, ...] = ()


class InterfaceTune(Element):
    """The size of the send buffer, in bytes."""

    TAG: ClassVar[str] = "tune"
    MERGED: ClassVar[bool] = True
    XPATH: ClassVar[bool] = True
    sndbuf: Annotated[U64, CHILD] | None = None


class InterfaceLink(Element):
    """Whether the virtual cable is plugged in."""

    TAG: ClassVar[str] = "link"
    MERGED: ClassVar[bool] = True
    XPATH: ClassVar[bool] = True
    state: Literal["up", "down"] | None = None


class InterfaceMtu(Element):
    """The largest packet, in bytes."""

    TAG: ClassVar[str] = "mtu"
    MERGED: ClassVar[bool] = True
    XPATH: ClassVar[bool] = True
    size: U32 | None = None


class InterfaceCoalesceRxFrames(Element):
    """How many received frames share one interrupt."""

    TAG: ClassVar[str] = "frames"
    MERGED: ClassVar[bool] = True
    XPATH: ClassVar[bool] = True
    max: U32 | None = None


class InterfaceCoalesceRx(Element):
    """Coalescing of received frames."""

    TAG: ClassVar[str] = "rx"
    MERGED: ClassVar[bool] = True
    XPATH: ClassVar[bool] = True
    frames: InterfaceCoalesceRxFrames | None = None


class InterfaceCoalesce(Element):
    """Coalescing of interrupts."""

    TAG: ClassVar[str] = "coalesce"
    rx: InterfaceCoalesceRx | None = None


class Interface(Device):
    """A network interface."""

    TAG: ClassVar[str] = "interface"
    UNREAD: ClassVar[frozenset[str]] = frozenset()
    type: Literal[
        "user", "ethernet", "vhostuser", "server", "client", "mcast", "network", "bridge", "internal",
        "direct", "hostdev", "udp", "vdpa", "null", "vds",
    ] = "user"  # fmt: skip
    managed: YES | None = None
    trust_guest_rx_filters: Annotated[bool, Name("trustGuestRxFilters")] | None = None
    mac: InterfaceMac | None = None
    source: InterfaceSource | None = None
    vlan: InterfaceVlan | None = None
    virtualport: InterfaceVirtualport | None = None
    bandwidth: InterfaceBandwidth | None = None
    port: InterfacePort | None = None
    ip: tuple[Ip, ...] = ()
    route: tuple[Route, ...] = ()
    port_forward: tuple[InterfacePortForward, ...] = ()
    script: InterfaceScript | None = None
    downscript: InterfaceDownscript | None = None
    backenddomain: BackendDomain | None = None
    target: InterfaceTarget | None = None
    guest: InterfaceGuest | None = None
    model: InterfaceModel | None = None
    driver: InterfaceDriver | None = None
    backend: InterfaceBackend | None = None
    filterref: InterfaceFilterref | None = None
    tune: InterfaceTune | None = None
    teaming: Teaming | None = None
    link: InterfaceLink | None = None
    mtu: InterfaceMtu | None = None
    coalesce: InterfaceCoalesce | None = None

    def refusal(self) -> str:
        """A source that lacks what its type needs, or a driver of another type."""
        for attribute in _NEEDED.get(self.type, ()):
            if self.source is None or getattr(self.source, attribute) is None:
                return f"an interface of type {self.type} needs <source {attribute}='…'>"
        allowed = _SOURCE_MODES.get(self.type)
        if allowed and self.source is not None and self.source.mode not in allowed:
            return f"source mode '{self.source.mode}' is not one of {', '.join(map(str, allowed[1:]))}"
        return self._driver_refusal()

    def _driver_refusal(self) -> str:
        if self.driver is None or self.driver.name is None:
            return ""
        if self.type == "hostdev":
            known: tuple[str, ...] = ("kvm", "vfio", "xen")
        elif self.model is not None and (self.model.type or "").lower() in _VIRTIO_MODELS:
            known = ("qemu", "vhost")
        else:
            return ""  # libvirt does not look
        return (
            ""
            if self.driver.name in known
            else f"driver '{self.driver.name}' is not one of {', '.join(known)}"
        )


_VIRTIO_MODELS = ("virtio", "virtio-transitional", "virtio-non-transitional")
_SOURCE_MODES = {
    "direct": (None, "vepa", "private", "bridge", "passthrough"),
    "vhostuser": (None, "server", "client"),
}
_NEEDED = {
    "network": ("network",),
    "vds": ("switchid", "portid", "portgroupid", "connectionid"),
    "internal": ("name",),
    "bridge": ("bridge",),
    "direct": ("dev",),
    "vhostuser": ("type", "path", "mode"),
    "vdpa": ("dev",),
    "server": ("port",),
    "client": ("address", "port"),
    "mcast": ("address", "port"),
    "udp": ("address", "port", "local"),
}
