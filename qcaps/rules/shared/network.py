"""What a network interface is connected to, and the addresses it gets."""

from __future__ import annotations

import socket
from ipaddress import IPv6Address
from typing import TYPE_CHECKING, Any, Final

from qcaps.domainxml.codec import evolve
from qcaps.rules.shared.common import filled_pci, says_something

if TYPE_CHECKING:
    from qcaps.domainxml.devices import Interface
    from qcaps.domainxml.devices.interfacesource import InterfaceSource, InterfaceVlan
    from qcaps.domainxml.devices.on_host import Ip

_ALWAYS: Final = {"line", "unknown_attributes", "unknown_children", "ip", "route"}
_SOCKET: Final = _ALWAYS | {"address", "port"}
_SOURCES: Final[dict[str, set[str]]] = {
    "network": _ALWAYS | {"network", "portgroup"},
    "bridge": _ALWAYS | {"bridge"},
    "direct": _ALWAYS | {"dev", "mode"},
    "internal": _ALWAYS | {"name"},
    "vhostuser": _ALWAYS | {"type", "path", "mode", "reconnect"},
    "server": _SOCKET,
    "client": _SOCKET,
    "mcast": _SOCKET,
    "udp": _SOCKET | {"local"},
    "vdpa": _ALWAYS | {"dev"},
    "vds": _ALWAYS | {"switchid", "portid", "portgroupid", "connectionid"},
    "hostdev": _ALWAYS | {"host_address", "startup_policy", "write_filtering"},
}
"""What a source of each kind may say; libvirt passes over the rest."""


def source(nic: Interface, own: InterfaceSource) -> InterfaceSource | None:
    """What counts for a NIC of its kind.

    Follows: virDomainNetDefParseXML, virDomainNetDefFormat
    """
    known = _SOURCES.get(nic.type, _ALWAYS)
    if nic.type == "user" and nic.backend is not None and nic.backend.type == "passt":
        known = _ALWAYS | {"dev"}
    changes: dict[str, Any] = {name: None for name in own.__dict__ if name not in known}
    if nic.type == "direct" and own.mode is None:
        changes["mode"] = "vepa"
    if own.host_address is not None and own.host_address.type != "usb" and nic.type == "hostdev":
        changes["host_address"] = filled_pci(own.host_address)
    if own.ip:
        changes["ip"] = addresses(own.ip)
    changed = evolve(own, **changes) if changes else own
    return changed if says_something(changed) else None


def spelled(text: str) -> str:
    """A numeric address as libvirt writes it: 10.1 is 10.0.0.1, and so is 167772161. Others stay.

    Follows: virSocketAddrFormat
    """
    try:
        if ":" in text:
            return socket.inet_ntop(socket.AF_INET6, IPv6Address(text).packed)
        return socket.inet_ntoa(socket.inet_aton(text))
    except (OSError, ValueError):
        return text


def addresses(ips: tuple[Ip, ...]) -> tuple[Ip, ...]:
    """IP addresses with their family.

    Follows: virDomainNetIPParseXML
    """
    return tuple(
        evolve(
            one,
            address=spelled(one.address),
            family="ipv6" if ":" in one.address else "ipv4",
            prefix=one.prefix or None,
            peer=None if one.peer is None else spelled(one.peer),
        )
        for one in ips
    )


def vlan(own: InterfaceVlan) -> InterfaceVlan:
    """Several VLANs need a trunk.

    Follows: virNetDevVlanParse
    """
    return evolve(own, trunk=True if len(own.tag) > 1 else own.trunk or None)
