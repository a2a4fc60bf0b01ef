"""`<interface>`: its source, port, VLANs and rates, as libvirt's parser sees them."""

from __future__ import annotations

import re
import socket
from ipaddress import IPv6Address
from typing import TYPE_CHECKING

from qcaps.domainxml.devices.on_host import HostPciAddress, HostUsbAddress
from qcaps.domainxml.numbers import any_base
from qcaps.domainxml.syntax import uuid
from qcaps.rules.refusal import Refused
from qcaps.rules.shared.pci import check_pci_numbers
from qcaps.rules.shared.refuse import malformed, unsupported

if TYPE_CHECKING:
    from qcaps.domainxml.devices import Interface
    from qcaps.domainxml.devices.interfacesource import (
        InterfaceBandwidth,
        InterfaceVirtualport,
        InterfaceVirtualportParameters,
        InterfaceVlan,
    )

_SOURCE_TYPES = frozenset(
    {
        "network", "vds", "internal", "bridge", "direct", "vhostuser", "vdpa", "client", "server", "mcast",
        "udp", "hostdev",
    }
)  # fmt: skip
"""Types that are connected to something that must be named."""

_PORT_TYPES = frozenset({"network", "bridge", "direct", "hostdev"})
_HIGHEST_VLAN = 4095

_PORT_NEEDS = {
    "802.1Qbg": ("managerid", "typeid", "typeidversion"),
    "802.1Qbh": ("profileid",),
    "midonet": ("interfaceid",),
}
_PORT_TAKES = {
    "802.1Qbg": ("managerid", "typeid", "typeidversion", "instanceid"),
    "802.1Qbh": ("profileid",),
    "openvswitch": ("interfaceid", "profileid"),
    "midonet": ("interfaceid",),
}
"""Parameters of a virtual port by its type; instance and interface are made up where they are missing."""

_PORT_NUMBERS = {"managerid": 0xFF, "typeid": 0xFFFFFF, "typeidversion": 0xFF}
"""Numbers among them, and the highest of each."""

_MOST_U32 = 2**32 - 1
_LONGEST_PROFILE = 39

_PARAMETERS = ("managerid", "typeid", "typeidversion", "instanceid", "interfaceid", "profileid")

_MODEL_NAME = re.compile(r"[a-zA-Z0-9_-]+")


def refuse_read(interface: Interface) -> None:
    """Refuses a source, model, port, rate, VLAN or address that is missing or malformed.

    Follows: virDomainNetDefParseXML
    """
    kind = interface.type
    if kind in _SOURCE_TYPES:
        if interface.source is None:
            raise malformed(f"an interface of type '{kind}' needs a <source>", interface)
        _check_source(interface)
    model = interface.model.type if interface.model is not None else None
    if model and not _MODEL_NAME.fullmatch(model):
        raise Refused(f"invalid argument: '{model[:40]}' cannot be the name of a NIC model", interface.model)
    port = interface.virtualport
    if port is not None:
        if kind not in _PORT_TYPES:
            raise unsupported(f"<virtualport> does not go with type '{kind}'", interface)
        _check_port(port, kind)
    if interface.bandwidth is not None:
        _check_bandwidth(interface.bandwidth, kind)
    if interface.vlan is not None:
        _check_vlan(interface.vlan)
    _check_addresses(interface)


# Follows: virDomainNetIPParseXML
def _check_addresses(interface: Interface) -> None:
    for ip in (*interface.ip, *(interface.source.ip if interface.source is not None else ())):
        if ip.family in ("ipv4", "ipv6") and ip_version(ip.address) not in (None, int(ip.family[3:])):
            raise malformed(f"'{ip.address}' is no address of family '{ip.family}'", ip)
        if ip_version(ip.address) is None or (ip.peer is not None and ip_version(ip.peer) is None):
            raise malformed(f"'{ip.address}' or its peer is no IP address", ip)


def ip_version(text: str) -> int | None:
    """4 or 6 for a numeric address; None for anything else. IPv4 may be short, as in 10.1."""
    if ":" in text:
        try:
            return IPv6Address(text).version
        except ValueError:
            return None
    try:
        socket.inet_aton(text)
    except OSError:
        return None
    return 4


# Follows: virDomainNetDefParseXML
def _check_source(interface: Interface) -> None:
    source = interface.source
    if source is None:
        return
    if interface.type == "vhostuser":
        if source.type != "unix":
            raise unsupported(f"a vhostuser source is of type 'unix', not '{source.type}'", interface)
        again = source.reconnect
        if again is not None and again.enabled and again.timeout is None:
            raise malformed("<reconnect> needs a timeout", interface)
    if interface.type == "udp" and source.local is None:
        raise malformed("an interface of type 'udp' needs <local>", interface)
    if interface.type == "hostdev":
        if source.startup_policy is not None and not isinstance(source.host_address, HostUsbAddress):
            raise unsupported("startupPolicy is for USB devices", interface)
        if source.host_address is None:
            raise malformed("an interface of type 'hostdev' needs <source><address type=…>", interface)
        if isinstance(source.host_address, HostPciAddress):
            check_pci_numbers(source.host_address, interface)


def port_number(text: str) -> int:
    """A number in any base; a negative one is taken from the other end. Raises ValueError."""
    return any_base(text, -_MOST_U32, _MOST_U32) & _MOST_U32


# Follows: virNetDevVPortProfileParse
def _check_parameters(given: InterfaceVirtualportParameters) -> None:
    for name, highest in _PORT_NUMBERS.items():
        text = getattr(given, name)
        if text is None:
            continue
        try:
            number = port_number(text)
        except ValueError as error:
            raise malformed(f"{name}: {error}", given) from None
        if number > highest:
            raise malformed(f"{name} {number} is above {highest}", given)
    for name in ("instanceid", "interfaceid"):
        text = getattr(given, name)
        if text is None:
            continue
        try:
            uuid(text)
        except ValueError as error:
            raise malformed(f"{name}: {error}", given) from None
    if given.profileid is not None and len(given.profileid.encode()) > _LONGEST_PROFILE:
        raise malformed(f"profileid has more than {_LONGEST_PROFILE} characters", given)


# Follows: virNetDevVPortProfileParse, virNetDevVPortProfileCheckComplete, virNetDevVPortProfileCheckNoExtras
def _check_port(port: InterfaceVirtualport, kind: str) -> None:
    if port.parameters is not None:
        _check_parameters(port.parameters)
    given = {name for name in _PARAMETERS if port.parameters is not None and getattr(port.parameters, name)}
    if port.type is None:
        if kind != "network":
            raise malformed("<virtualport> needs a type", port)
        return
    missing = [name for name in _PORT_NEEDS.get(port.type, ()) if name not in given]
    if missing and kind != "network":
        raise malformed(f"virtualport '{port.type}' needs {missing[0]}", port)
    extra = sorted(given.difference(_PORT_TAKES[port.type]))
    if extra:
        raise malformed(f"virtualport '{port.type}' has no {extra[0]}", port)


# Follows: virNetDevBandwidthParse, virNetDevBandwidthParseRate
def _check_bandwidth(bandwidth: InterfaceBandwidth, kind: str) -> None:
    for rate in (bandwidth.inbound, bandwidth.outbound):
        if rate is None:
            continue
        if rate.average is None and rate.floor is None:
            raise Refused("a rate needs an average or a floor", bandwidth)
        if rate.average is None and (rate.peak is not None or rate.burst is not None):
            raise unsupported("peak and burst need an average", bandwidth)
    if bandwidth.inbound is not None and bandwidth.inbound.floor and kind != "network":
        raise unsupported(f"floor does not go with type '{kind}'", bandwidth)
    if bandwidth.outbound is not None and bandwidth.outbound.floor:
        raise unsupported("floor is for inbound traffic", bandwidth)


# Follows: virNetDevVlanParse
def _check_vlan(vlan: InterfaceVlan) -> None:
    if not vlan.tag:
        raise malformed("<vlan> needs a <tag>", vlan)
    for tag in vlan.tag:
        if tag.id > _HIGHEST_VLAN:
            raise malformed(f"VLAN {tag.id} is above {_HIGHEST_VLAN}", tag)
    native = sum(tag.native_mode is not None for tag in vlan.tag)
    if native > 1:
        raise malformed("there are two native VLANs", vlan)
    if vlan.trunk is False and (len(vlan.tag) > 1 or native):
        raise malformed("several VLANs, or a native one, need trunk='yes'", vlan)
