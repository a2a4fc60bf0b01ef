"""Network interfaces: hardware address, names that libvirt makes itself, the default model."""

from __future__ import annotations

import random
import re
import uuid
from typing import TYPE_CHECKING, Any, Final

from qcaps.capabilities.targets import S390
from qcaps.domainxml import syntax
from qcaps.domainxml.codec import evolve
from qcaps.domainxml.devices.interface import InterfaceDriver, InterfaceMac, InterfaceModel
from qcaps.domainxml.devices.interfacesource import InterfaceVirtualportParameters
from qcaps.rules.devices.interface.refuse_read import port_number
from qcaps.rules.machine import ARM_VIRT, is_arm_virt, is_riscv_virt
from qcaps.rules.refusal import Refused
from qcaps.rules.shared import network
from qcaps.rules.shared.common import is_empty

if TYPE_CHECKING:
    from qcaps.capabilities.model import Capabilities
    from qcaps.domainxml.devices import Interface
    from qcaps.domainxml.devices.interface import (
        InterfaceBackend,
        InterfaceFilterref,
        InterfaceFilterrefParameter,
    )
    from qcaps.domainxml.devices.interfacesource import (
        InterfaceBandwidth,
        InterfaceBandwidthLimit,
        InterfaceVirtualport,
    )
    from qcaps.domainxml.domain import Domain
    from qcaps.rules.shared.state import State

_OWN_NAMES: Final = ("vnet", "macvtap", "macvlan")
"""Prefixes of the names that libvirt gives the host's side of a NIC."""

_MODELS: Final = frozenset({
    "netfront", "rtl8139", "virtio", "e1000", "e1000e", "virtio-transitional", "virtio-non-transitional",
    "usb-net", "spapr-vlan", "lan9118", "smc91c111", "vlance", "vmxnet", "vmxnet2", "vmxnet3", "Am79C970A",
    "Am79C973", "82540EM", "82545EM", "82543GC",
})  # fmt: skip
_BY_LETTERS: Final = {name.lower(): name for name in _MODELS}
"""Models libvirt knows by name, in whatever case."""

_NO_MAC: Final = InterfaceMac()
_NO_MODEL: Final = InterfaceModel()
_VIRTIO: Final = frozenset({"virtio", "virtio-transitional", "virtio-non-transitional"})
_OF_ANY: Final = {"line", "unknown_attributes", "unknown_children", "iommu", "ats", "packed", "page_per_vq"}
_OF_VIRTIO: Final = frozenset(InterfaceDriver.__dataclass_fields__)
_EMPTY_MEANS_NONE: Final = (
    "port", "script", "downscript", "backenddomain", "guest", "tune", "teaming", "link",
)  # fmt: skip
_PARAMETER_NAME: Final = re.compile(r"[A-Za-z0-9_]*")
_PARAMETER_VALUE: Final = re.compile(r"[A-Za-z0-9_.:]+")
_ZERO_MEANS_NONE: Final = ("queues", "rx_queue_size", "tx_queue_size")
_FILTERED: Final = frozenset({"network", "bridge", "ethernet"})
_NUMBERS: Final = ("managerid", "typeid", "typeidversion")
_IDS: Final = ("instanceid", "interfaceid")
_INSTANCE: Final = frozenset({None, "802.1Qbg"})
_INTERFACE: Final = frozenset({None, "openvswitch"})
_PREFERRED: Final = (("rtl8139", "rtl8139"), ("e1000", "e1000"), ("virtio-net", "virtio"))
"""Flags and the models they stand for; the first is the most likely to work without a driver."""


def read(_domain: Domain, nic: Interface) -> Interface:
    """Makes up a hardware address where there is none; leaves out names that libvirt made.

    Follows: virDomainNetDefParseXML, virDomainNetDefFormat
    """
    given = nic.__dict__
    changes: dict[str, Any] = {"type": nic.type, "mac": _mac(nic)}
    if given.get("managed") is not None and not (nic.managed and nic.type == "hostdev"):
        changes["managed"] = None
    if (source := given.get("source")) is not None:
        changes["source"] = network.source(nic, source)
    if (target := given.get("target")) is not None:
        own = target.managed is not False and target.dev is not None and target.dev.startswith(_OWN_NAMES)
        name = None if own else target.dev
        empty = name is None and target.managed is None
        changes["target"] = None if empty else evolve(target, dev=name)
    if (model := given.get("model")) is not None:
        known = _BY_LETTERS.get((model.type or "").lower())
        if model.type is None or known not in (None, model.type):
            changes["model"] = evolve(model, type=known) if known else None
    if (port := given.get("virtualport")) is not None:
        changes["virtualport"] = _virtualport(port)
    if (vlan := given.get("vlan")) is not None:
        changes["vlan"] = network.vlan(vlan)
    if nic.ip:
        changes["ip"] = network.addresses(nic.ip)
    return _driven(evolve(nic, **changes, **_limits(nic)))


def _limits(nic: Interface) -> dict[str, Any]:
    """Limits of 0 are none, and filters are for some kinds only."""
    given = nic.__dict__
    changes: dict[str, Any] = {}
    if (mtu := given.get("mtu")) is not None and not mtu.size:
        changes["mtu"] = None
    if given.get("coalesce") is not None and not _coalesces(nic):
        changes["coalesce"] = None
    if (rules := given.get("filterref")) is not None and (nic.type not in _FILTERED or rules.filter is None):
        changes["filterref"] = None
    elif rules is not None:
        changes["filterref"] = evolve(rules, parameter=_parameters(rules))
    if (bandwidth := given.get("bandwidth")) is not None:
        changes["bandwidth"] = _bandwidth(bandwidth)
    if (backend := given.get("backend")) is not None:
        changes["backend"] = _backend(nic, backend)
    for name in _EMPTY_MEANS_NONE:
        if (part := given.get(name)) is not None and is_empty(part):
            changes[name] = None
    return changes


# Follows: virNWFilterParseParamAttributes, virNWFilterFormatParamAttributes
def _parameters(rules: InterfaceFilterref) -> tuple[InterfaceFilterrefParameter, ...]:
    """By name; those that no filter can have are passed over."""
    kept = (
        one
        for one in rules.parameter
        if one.name is not None
        and one.value is not None
        and _PARAMETER_NAME.fullmatch(one.name)
        and _PARAMETER_VALUE.fullmatch(one.value)
    )
    return tuple(sorted(kept, key=lambda one: one.name or ""))


# Follows: virNetDevBandwidthParse, virNetDevBandwidthRateFormat
def _bandwidth(bandwidth: InterfaceBandwidth) -> InterfaceBandwidth | None:
    """Rates of 0 are none; the element stays if there was one."""
    if bandwidth.inbound is None and bandwidth.outbound is None:
        return None
    return evolve(bandwidth, inbound=_rate(bandwidth.inbound), outbound=_rate(bandwidth.outbound))


def _rate(rate: InterfaceBandwidthLimit | None) -> InterfaceBandwidthLimit | None:
    if rate is None or not (rate.average or rate.floor):
        return None
    return evolve(
        rate, **{name: getattr(rate, name) or None for name in ("average", "peak", "floor", "burst")}
    )


# Follows: virDomainNetBackendParseXML
def _backend(nic: Interface, backend: InterfaceBackend) -> InterfaceBackend | None:
    model = nic.model.type if nic.model is not None else None
    if backend.vhost is not None and (nic.type == "hostdev" or (model or "").lower() not in _VIRTIO):
        backend = evolve(backend, vhost=None)
    return None if is_empty(backend) else backend


def _driven(nic: Interface) -> Interface:
    return nic if nic.driver is None else evolve(nic, driver=_driver(nic, nic.driver))


def _coalesces(nic: Interface) -> bool:
    """Whether more than no frames are coalesced."""
    rx = nic.coalesce.rx if nic.coalesce is not None else None
    return rx is not None and rx.frames is not None and bool(rx.frames.max)


def _driver(nic: Interface, driver: InterfaceDriver) -> InterfaceDriver | None:
    """Only virtio has queues and offloads; of a host device it says who drives it.

    Follows: virDomainNetDefParseXMLDriver
    """
    model = nic.model.type if nic.model is not None else None
    kept = _OF_VIRTIO if model in _VIRTIO and nic.type != "hostdev" else _OF_ANY
    if nic.type == "hostdev":
        kept = kept | {"name"}
    changed = evolve(driver, **{name: None for name in driver.__dict__ if name not in kept})
    zeros = {name: None for name in _ZERO_MEANS_NONE if changed.__dict__.get(name) == 0}
    if changed.__dict__.get("queues") == 1:  # what there always is
        zeros["queues"] = None
    if zeros:
        changed = evolve(changed, **zeros)
    return (
        changed
        if any(value is not None for name, value in changed.__dict__.items() if name != "line")
        else None
    )


def _mac(nic: Interface) -> InterfaceMac:
    mac = nic.mac
    if mac is None or mac.address is None:
        return evolve(mac or _NO_MAC, address=generated_mac())
    parts = mac.address.split(":")
    try:
        octets = [int(part, 16) for part in parts]
    except ValueError:
        octets = []
    if len(octets) != 6 or not all(0 <= one <= 255 for one in octets):  # noqa: PLR2004  # a MAC's shape
        raise Refused(f"XML error: '{mac.address[:40]}' is no MAC address", mac)
    if octets[0] & 1:
        raise Refused(f"XML error: MAC address {mac.address} is multicast, a NIC's must be unicast", mac)
    return evolve(mac, address=":".join(f"{one:02x}" for one in octets))


def generated_mac() -> str:
    """A hardware address under the prefix that QEMU guests have.

    Follows: virDomainNetGenerateMAC
    """
    tail = random.getrandbits(24)  # uniqueness, not secrecy
    return f"52:54:00:{tail >> 16:02x}:{tail >> 8 & 255:02x}:{tail & 255:02x}"


def _virtualport(port: InterfaceVirtualport) -> InterfaceVirtualport:
    """A port of a switch needs an id; one of unknown type gets all of them.

    Follows: virNetDevVPortProfileParse
    """
    own = port.parameters or InterfaceVirtualportParameters()
    ids: dict[str, str | None] = {}
    if own.instanceid is None and port.type in _INSTANCE:
        ids["instanceid"] = str(uuid.uuid4())
    if own.interfaceid is None and port.type in _INTERFACE:
        ids["interfaceid"] = str(uuid.uuid4())
    changes: dict[str, str | None] = {
        name: str(port_number(value)) for name in _NUMBERS if (value := getattr(own, name)) is not None
    }
    changes |= {name: str(uuid.UUID(syntax.uuid(value))) for name in _IDS if (value := getattr(own, name))}
    if own.profileid == "":
        changes["profileid"] = None
    own = evolve(own, **changes, **ids)
    return evolve(port, parameters=None if is_empty(own) else own)


def complete(state: State, nic: Interface) -> Interface:
    """The model that a guest of this machine most likely has a driver for.

    Follows: qemuDomainDeviceNetDefPostParse
    """
    model = nic.model.type if nic.model is not None else None
    if model is None and nic.type != "hostdev":
        model = "virtio" if nic.type == "vdpa" else _default_model(state.domain, state.caps)
        nic = evolve(nic, model=evolve(_NO_MODEL, type=model))
    return nic


# Follows: qemuDomainDefaultNetModel
def _default_model(domain: Domain, caps: Capabilities) -> str:
    if domain.arch in S390 or is_arm_virt(domain) or is_riscv_virt(domain):
        return "virtio"
    if domain.arch in ARM_VIRT:
        return "smc91c111" if domain.machine == "versatilepb" else "lan9118"
    return next((model for flag, model in _PREFERRED if flag in caps), "rtl8139")
