"""What a network interface is connected to."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from qcaps.domainxml.codec import Choose, Element, Name
from qcaps.domainxml.devices.on_host import HostPciAddress, HostUsbAddress, Ip, Route, SourceReconnect
from qcaps.domainxml.element import Node
from qcaps.domainxml.syntax import I32, U32, U64


class InterfaceSourceLocal(Element):
    """The near end of a UDP tunnel."""

    TAG: ClassVar[str] = "local"
    address: str
    port: I32


def _host_address(node: Node) -> type[Element]:
    return HostUsbAddress if node.get("type") == "usb" else HostPciAddress


class InterfaceSource(Element):
    """What the interface is connected to; which attributes count depends on its type."""

    TAG: ClassVar[str] = "source"
    type: str | None = None
    network: str | None = None
    portgroup: str | None = None
    bridge: str | None = None
    address: str | None = None
    port: I32 | None = None
    path: str | None = None
    name: str | None = None
    dev: str | None = None
    mode: Literal["vepa", "private", "bridge", "passthrough", "server", "client"] | None = None
    switchid: str | None = None
    portid: str | None = None
    portgroupid: str | None = None
    connectionid: str | None = None
    mac_table_manager: Annotated[str, Name("macTableManager")] | None = None
    startup_policy: Annotated[Literal["mandatory", "requisite", "optional"], Name("startupPolicy")] | None = (
        None
    )
    write_filtering: Annotated[bool, Name("writeFiltering")] | None = None
    host_address: (
        Annotated[HostPciAddress | HostUsbAddress, Name("address"), Choose(_host_address)] | None
    ) = None
    reconnect: SourceReconnect | None = None
    local: InterfaceSourceLocal | None = None
    ip: tuple[Ip, ...] = ()
    route: tuple[Route, ...] = ()


class InterfaceVlanTag(Element):
    """The number of a VLAN."""

    TAG: ClassVar[str] = "tag"
    id: U32
    native_mode: Annotated[Literal["tagged", "untagged"], Name("nativeMode")] | None = None


class InterfaceVlan(Element):
    """The VLANs of the guest's traffic."""

    TAG: ClassVar[str] = "vlan"
    trunk: bool | None = None
    tag: tuple[InterfaceVlanTag, ...] = ()


class InterfaceVirtualportParameters(Element):
    """Who the switch shall take the interface for."""

    TAG: ClassVar[str] = "parameters"
    managerid: str | None = None
    typeid: str | None = None
    typeidversion: str | None = None
    instanceid: str | None = None
    interfaceid: str | None = None
    profileid: str | None = None


class InterfaceVirtualport(Element):
    """The port of a switch that knows of virtual machines."""

    TAG: ClassVar[str] = "virtualport"
    type: Literal["802.1Qbg", "802.1Qbh", "openvswitch", "midonet"] | None = None
    parameters: InterfaceVirtualportParameters | None = None


class InterfaceBandwidthLimit(Element):
    """Rates in kilobytes a second; burst in kilobytes."""

    average: U64 | None = None
    peak: U64 | None = None
    floor: U64 | None = None
    burst: U64 | None = None


class InterfaceBandwidth(Element):
    """How much traffic may flow each way."""

    TAG: ClassVar[str] = "bandwidth"
    ONCE: ClassVar[frozenset[str]] = frozenset({"inbound", "outbound"})
    inbound: InterfaceBandwidthLimit | None = None
    outbound: InterfaceBandwidthLimit | None = None
