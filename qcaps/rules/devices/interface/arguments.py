"""Network interfaces: the host's end and the NIC.

Where libvirt hands QEMU a tap device it has opened, QEMU is told its name and opens it itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qcaps.domainxml.address import CcwAddress, PciAddress, VirtioMmioAddress
from qcaps.domainxml.devices import Interface
from qcaps.rules.machine import ARM_VIRT
from qcaps.rules.refusal import Refused
from qcaps.rules.start import argument
from qcaps.rules.start.address import placed, rom, zpci
from qcaps.rules.start.backend import unix_socket
from qcaps.rules.start.virtio import virtio

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from qcaps.rules.start.argument import Json, Properties
    from qcaps.rules.start.launch import Launch

_VIRTIO: Final = frozenset({"virtio", "virtio-transitional", "virtio-non-transitional"})
_MODES: Final = {"iothread": "bh", "timer": "timer"}


def interfaces(launch: Launch) -> Iterator[str]:
    """Every interface in order; those that are host devices come with the host devices.

    Follows: qemuBuildNetCommandLine, qemuBuildInterfaceCommandLine
    """
    for place, nic in enumerate(launch.of(Interface)):
        if nic.type == "hostdev":
            continue
        make = _TYPES.get(nic.type)
        if make is None:
            raise Refused(f"QEMU has no interface of type '{nic.type}'", nic)
        if nic.script and nic.type != "ethernet":
            raise Refused(f"an interface of type '{nic.type}' runs no script", nic)
        if nic.type == "vhostuser":
            yield from _vhost_user_socket(launch, nic)
        host: dict[str, Json] = make(launch, nic, place)
        yield from argument.netdev(launch.capabilities, {**host, "id": f"host{launch.alias(nic)}"})
        yield from zpci(launch, nic)
        if _takes_device(launch, nic):
            yield from launch.device(_card(launch, nic))
        elif nic.type == "vhostuser":
            raise Refused("vhost-user needs a NIC on PCI or memory", nic)
        else:
            yield from ("-net", _old_card(launch, nic))


def _model(nic: Interface) -> str:
    return (nic.model.type if nic.model else None) or ""


def _takes_device(launch: Launch, nic: Interface) -> bool:
    """NICs of ARM boards other than virtio's are asked for the old way."""
    return launch.domain.arch not in ARM_VIRT or isinstance(nic.address, VirtioMmioAddress | PciAddress)


# Follows: qemuBuildNicDevProps
def _card(launch: Launch, nic: Interface) -> Properties:
    return {
        **(_virtio(launch, nic) if _model(nic) in _VIRTIO else {"driver": _model(nic)}),
        "netdev": f"host{launch.alias(nic)}",
        "id": launch.alias(nic),
        "mac": _mac(nic),
        "bootindex": launch.boot_index(nic),
        **placed(launch, nic),
        **rom(nic),
    }


# Follows: qemuBuildNicDevProps
def _virtio(launch: Launch, nic: Interface) -> Properties:
    driver = nic.driver
    properties: Properties = virtio(launch, nic, "virtio-net", driver=driver, model=_model(nic))
    queues = (driver.queues if driver else None) or 0
    has_vectors = queues > 1 and not isinstance(nic.address, CcwAddress)  # ccw has one a queue by nature
    host, own = (driver.host, driver.guest) if driver else (None, None)
    return {
        **properties,
        "tx": _MODES[driver.txmode] if driver and driver.txmode else None,
        "ioeventfd": driver.ioeventfd if driver else None,
        "event_idx": driver.event_idx if driver else None,
        "csum": host.csum if host else None,
        "gso": host.gso if host else None,
        "host_tso4": host.tso4 if host else None,
        "host_tso6": host.tso6 if host else None,
        "host_ecn": host.ecn if host else None,
        "host_ufo": host.ufo if host else None,
        "mrg_rxbuf": host.mrg_rxbuf if host else None,
        "guest_csum": own.csum if own else None,
        "guest_tso4": own.tso4 if own else None,
        "guest_tso6": own.tso6 if own else None,
        "guest_ecn": own.ecn if own else None,
        "guest_ufo": own.ufo if own else None,
        "mq": True if queues > 1 else None,
        "vectors": 2 * queues + 2
        if has_vectors
        else None,  # one a direction and queue, control, configuration
        "rx_queue_size": (driver.rx_queue_size if driver else None) or None,
        "tx_queue_size": (driver.tx_queue_size if driver else None) or None,
        "rss": driver.rss if driver else None,
        "hash": driver.rss_hash_report if driver else None,
        "host_mtu": (nic.mtu.size if nic.mtu else None) or None,
        "failover": True if nic.teaming and nic.teaming.type == "persistent" else None,
    }


def _mac(nic: Interface) -> str | None:
    return nic.mac.address.lower() if nic.mac and nic.mac.address else None


# Follows: qemuBuildLegacyNicStr
def _old_card(launch: Launch, nic: Interface) -> str:
    name, model = launch.alias(nic), _model(nic)
    return f"nic,macaddr={_mac(nic)},netdev=host{name}{f',model={model}' if model else ''},id={name}"


# Follows: qemuBuildInterfaceConnect
def _vhost_user_socket(launch: Launch, nic: Interface) -> Iterator[str]:
    source = nic.source
    if source is None or source.type not in (None, "unix"):
        raise Refused("vhost-user needs a UNIX socket", nic)
    value = unix_socket(
        f"char{launch.alias(nic)}",
        source.path or "",
        listens=False,
        reconnect=source.reconnect,
    )
    # QEMU waits for the switch: without it there is no network to start with
    yield from ("-chardev", f"{value},server=on" if source.mode == "server" else value)


# Follows: qemuBuildHostNetProps
def _tap(launch: Launch, nic: Interface, place: int) -> dict[str, Json]:
    driver = nic.driver
    named = driver.name if driver else None
    is_virtio = _model(nic) in _VIRTIO
    if named == "vhost" and not is_virtio and launch.domain.virt_type == "kvm":
        raise Refused("vhost serves virtio NICs only", nic)
    queues = (driver.queues if driver else None) or 0
    return {
        "type": "tap",
        "ifname": (nic.target.dev if nic.target else None) or f"vnet{place}",
        "script": (nic.script.path if nic.script else None) or "no",
        "downscript": (nic.downscript.path if nic.downscript else None) or "no",
        "queues": queues if queues > 1 else None,
        "vhost": True if is_virtio and named != "qemu" and launch.domain.virt_type == "kvm" else None,
        "sndbuf": nic.tune.sndbuf if nic.tune else None,
    }


# Follows: qemuBuildHostNetProps
def _user(_launch: Launch, nic: Interface, _place: int) -> dict[str, Json]:
    if nic.backend and nic.backend.type == "passt":
        raise Refused("passt is started by libvirt's daemon", nic)
    properties: dict[str, Json] = {"type": "user"}
    for ip in nic.ip:
        if ":" in ip.address:
            properties |= {"ipv6-prefix": ip.address, "ipv6-prefixlen": ip.prefix or None}
        else:
            properties["net"] = f"{ip.address}/{ip.prefix}" if ip.prefix else ip.address
    return properties


# Follows: qemuBuildHostNetProps
def _internal(_launch: Launch, _nic: Interface, _place: int) -> dict[str, Json]:
    return {"type": "user"}


# Follows: qemuBuildHostNetProps
def _socket(key: str) -> Callable[[Launch, Interface, int], dict[str, Json]]:
    def make(_launch: Launch, nic: Interface, _place: int) -> dict[str, Json]:
        source = nic.source
        place = f"{(source.address if source else None) or ''}:{(source.port if source else None) or 0}"
        properties: dict[str, Json] = {"type": "socket", key: place}
        if key == "udp" and source and source.local:
            properties["localaddr"] = f"{source.local.address}:{source.local.port}"
        return properties

    return make


def _queues(nic: Interface) -> int | None:
    queues = (nic.driver.queues if nic.driver else None) or 0
    return queues if queues > 1 else None


# Follows: qemuBuildHostNetProps
def _vhost_user(launch: Launch, nic: Interface, _place: int) -> dict[str, Json]:
    return {"type": "vhost-user", "chardev": f"char{launch.alias(nic)}", "queues": _queues(nic)}


# Follows: qemuBuildHostNetProps
def _vdpa(_launch: Launch, nic: Interface, _place: int) -> dict[str, Json]:
    return {
        "type": "vhost-vdpa",
        "vhostdev": (nic.source.dev if nic.source else None) or "",
        "queues": _queues(nic),
    }


_TYPES: dict[str, Callable[[Launch, Interface, int], dict[str, Json]]] = {
    **dict.fromkeys(("bridge", "network", "direct", "ethernet"), _tap),
    "client": _socket("connect"),
    "server": _socket("listen"),
    "mcast": _socket("mcast"),
    "udp": _socket("udp"),
    "user": _user,
    "internal": _internal,
    "vhostuser": _vhost_user,
    "vdpa": _vdpa,
}
