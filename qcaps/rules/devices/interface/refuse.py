"""`<interface>`: which settings go with which type and model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qcaps.release import R9_0, R11_3, since
from qcaps.rules.devices.interface.refuse_read import ip_version
from qcaps.rules.shared.refuse import internal, malformed, need, need_shared_memory, unsupported
from qcaps.rules.shared.virtio import VIRTIO_MODELS, check_no_virtio_options

if TYPE_CHECKING:
    from qcaps.capabilities.model import Capabilities
    from qcaps.domainxml.devices import Interface
    from qcaps.release import Since
    from qcaps.rules.shared.guest import Guest

_MTU_TYPES = frozenset({"network", "bridge", "ethernet", "vhostuser"})
_COALESCE_TYPES = frozenset({"network", "bridge"})
_IPV4_PREFIX = range(4, 28)
_IPV6_PREFIX = 64


_HAS_PASST: Final[Since[bool]] = {R9_0: False, R11_3: True}
"""Whether every build has the backend 'passt'."""
_FORWARDS_BY_PASST: Final[Since[bool]] = {R9_0: False, R11_3: True}
_SHARES_MEMORY: Final[Since[bool]] = {R9_0: False, R11_3: True}
"""Whether the process behind a vhost-user NIC has to see the guest's memory."""


def is_virtio(interface: Interface) -> bool:
    """Whether the guest sees a virtio NIC."""
    return interface.model is not None and interface.model.type in VIRTIO_MODELS


def refuse(interface: Interface, guest: Guest) -> None:
    """What holds for an interface under any hypervisor.

    Follows: virDomainNetDefValidate
    """
    kind, source = interface.type, interface.source
    if source is not None and (source.ip or source.route) and kind != "ethernet":
        raise unsupported(f"addresses and routes of the host's side do not go with type '{kind}'", interface)
    if interface.target is not None and interface.target.managed is False and kind != "ethernet":
        raise unsupported(f"managed='no' does not go with type '{kind}'", interface)
    _check_teaming(interface)
    _check_isolation(interface)
    if not is_virtio(interface):
        check_no_virtio_options(interface.driver, interface)
    backend = interface.backend.type if interface.backend is not None else None
    if backend == "passt" and not guest.host.passt and not since(_HAS_PASST, guest.draft.release):
        raise malformed("backend 'passt' is left out of this libvirt", interface)
    if backend == "passt" and kind != "user":
        raise internal(f"backend 'passt' does not go with type '{kind}'", interface)
    if interface.port_forward and backend != "passt" and since(_FORWARDS_BY_PASST, guest.draft.release):
        raise unsupported("<portForward> needs the backend 'passt'", interface)
    if kind == "vhostuser":
        _check_vhostuser(interface)
    if backend == "passt":
        _check_forwards(interface)


# Follows: virDomainNetDefValidatePortOptions
def _check_isolation(interface: Interface) -> None:
    kind, port = interface.type, interface.virtualport
    if interface.port is None or not interface.port.isolated:
        return
    if kind not in ("network", "bridge"):
        raise unsupported(f"an isolated port does not go with type '{kind}'", interface)
    if port is not None and port.type is not None:
        raise unsupported(f"an isolated port does not go with virtualport '{port.type}'", interface)


def _check_teaming(interface: Interface) -> None:
    teaming = interface.teaming
    if teaming is None:
        return
    if (teaming.type == "transient") != (teaming.persistent is not None):
        raise unsupported(
            "teaming names a persistent device when it is of type 'transient', and only then", teaming
        )


def _check_vhostuser(interface: Interface) -> None:
    if not is_virtio(interface):
        raise internal("an interface of type 'vhostuser' needs a virtio model", interface)
    source = interface.source
    if (
        source is not None
        and source.mode == "server"
        and source.reconnect is not None
        and source.reconnect.enabled
    ):
        raise unsupported("a server does not reconnect", interface)


def _check_forwards(interface: Interface) -> None:
    for forward in interface.port_forward:
        for one in forward.range:
            if not one.start and (one.end or one.to or one.exclude is not None):
                raise unsupported("a <range> with end, to or exclude needs a start", one)


def refuse_by_qemu(interface: Interface, guest: Guest, caps: Capabilities) -> None:
    """What QEMU, or this QEMU, cannot do with an interface.

    Follows: qemuValidateDomainDeviceDefNetwork
    """
    kind = interface.type
    if kind == "user":
        _check_user_addresses(interface)
    elif kind == "vdpa":
        need(caps, "netdev.vhost-vdpa", "an interface of type 'vdpa'", interface)
        if interface.model is None or interface.model.type != "virtio":
            raise unsupported("an interface of type 'vdpa' needs model 'virtio'", interface)
    elif interface.ip or interface.route:
        raise unsupported(f"QEMU sets no addresses and routes in the guest for type '{kind}'", interface)
    if kind == "vhostuser" and since(_SHARES_MEMORY, guest.draft.release):
        need_shared_memory(guest, caps, "an interface of type 'vhostuser'", interface)
    if is_virtio(interface):
        _check_virtio_driver(interface, caps)
    if interface.mtu is not None and interface.mtu.size and kind not in _MTU_TYPES:
        passt = interface.backend is not None and interface.backend.type == "passt"
        if not (kind == "user" and passt):
            raise unsupported(f"an MTU does not go with type '{kind}'", interface)
    _check_qemu_teaming(interface)
    if interface.coalesce is not None and kind not in _COALESCE_TYPES:
        raise unsupported(f"coalesce does not go with type '{kind}'", interface)


def _check_qemu_teaming(interface: Interface) -> None:
    teaming, kind = interface.teaming, interface.type
    if teaming is not None:
        if teaming.type == "persistent" and not is_virtio(interface):
            raise unsupported("the persistent device of a team needs model 'virtio'", interface)
        if teaming.type == "transient" and kind not in ("hostdev", "network"):
            raise unsupported(f"the transient device of a team has type 'hostdev', not '{kind}'", interface)


def _check_user_addresses(interface: Interface) -> None:
    if interface.route:
        raise unsupported("QEMU sets no routes in the guest", interface)
    seen: set[int] = set()
    for ip in interface.ip:
        if ip.peer is not None:
            raise unsupported("QEMU sets no peer address", ip)
        version = ip_version(ip.address) or 0
        if version in seen:
            raise unsupported(f"an interface has one IPv{version} address", ip)
        seen.add(version)
        prefix = ip.prefix or 0
        if version == 4 and prefix and prefix not in _IPV4_PREFIX:  # noqa: PLR2004  # IPv4
            raise malformed(f"prefix {prefix} is not between 4 and 27", ip)
        if version == 6 and prefix not in (0, _IPV6_PREFIX):  # noqa: PLR2004  # IPv6
            raise unsupported(f"prefix {prefix} of an IPv6 address is not 64", ip)


def _check_virtio_driver(interface: Interface, caps: Capabilities) -> None:
    driver = interface.driver
    if driver is None or interface.type == "hostdev":
        return
    for name in ("rx_queue_size", "tx_queue_size"):
        size = getattr(driver, name) or 0
        if size & (size - 1):
            raise unsupported(f"{name} {size} is no power of two", interface)
    if driver.rss is not None:
        need(caps, "virtio-net.rss", "rss", interface)
    if driver.rss_hash_report is not None:
        need(caps, "virtio-net.rss", "rss_hash_report", interface)
