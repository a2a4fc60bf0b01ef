"""Devices of the host: how they are named, and where SCSI ones go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qcaps.domainxml.address import CcwAddress, DriveAddress, PciAddress
from qcaps.domainxml.codec import evolve
from qcaps.domainxml.devices.on_host import HostPciAddress, HostUsbAddress
from qcaps.rules.refusal import Refused
from qcaps.rules.shared.common import by_type, filled_pci, is_empty, only
from qcaps.rules.shared.network import addresses
from qcaps.rules.shared.state import place

if TYPE_CHECKING:
    from qcaps.domainxml.devices import Hostdev
    from qcaps.domainxml.devices.hostdev import HostdevSource
    from qcaps.domainxml.domain import Domain
    from qcaps.rules.shared.state import State

_MDEV_ADDRESSES = {"vfio-pci": PciAddress, "vfio-ccw": CcwAddress}


def read(_domain: Domain, hostdev: Hostdev) -> Hostdev:
    """Unmanaged unless told otherwise; leaves out what the host found out.

    Follows: virDomainHostdevDefParseXMLSubsys, virDomainHostdevDefFormat, virDomainHostdevDefParseXML
    """
    changes: dict[str, Any] = {"mode": hostdev.mode}
    if hostdev.mode == "subsystem":
        changes["managed"] = bool(hostdev.managed)
    changes |= _not_counted(hostdev)
    source = changes["source"] = _source(hostdev)
    if hostdev.ip:
        changes["ip"] = addresses(hostdev.ip)
    if hostdev.type != "scsi":
        changes |= {name: False for name in ("readonly", "shareable") if hostdev.__dict__.get(name)}
    return _without_source(hostdev, changes) if source is None else evolve(hostdev, **changes)


_SOURCES: Final = by_type(
    {
        "usb": {"startup_policy", "guest_reset", "vendor", "product", "address"},
        "pci": {"write_filtering", "address"},
        "scsi": {"adapter", "address"},
        "iscsi": {"protocol", "name", "host", "auth", "initiator"},
        "scsi_host": {"protocol", "wwpn"},
        "mdev": {"address"},
        "storage": {"block"},
        "misc": {"char"},
        "net": {"interface"},
    }
)
"""What a source of each type may say."""


def _source_of(hostdev: Hostdev) -> frozenset[str]:
    is_iscsi = hostdev.type == "scsi" and hostdev.source.protocol == "iscsi"
    return _SOURCES["iscsi" if is_iscsi else hostdev.type]


def _not_counted(hostdev: Hostdev) -> dict[str, Any]:
    """What is for devices of other types."""
    names: tuple[str, ...] = () if hostdev.type == "mdev" else ("display", "ramfb")
    if hostdev.type != "pci":
        names += ("driver",)
    return {name: None for name in names if hostdev.__dict__.get(name) is not None}


def _source(hostdev: Hostdev) -> HostdevSource | None:
    """What counts for its type; without what the host found out."""
    source = only(hostdev.source, _source_of(hostdev))
    if hostdev.type == "pci":
        return evolve(source, address=evolve(filled_pci(source.address or HostPciAddress()), type=None))
    if isinstance(source.address, HostUsbAddress) and not (source.address.bus or source.address.device):
        source = evolve(source, address=None)
    return None if is_empty(source) else source


def _without_source(hostdev: Hostdev, changes: dict[str, Any]) -> Hostdev:
    """One whose source says nothing; libvirt writes none."""
    del changes["source"]
    bare = evolve(hostdev, **changes)
    del bare.__dict__["source"]
    return bare


def complete(state: State, hostdev: Hostdev) -> Hostdev:
    """A SCSI device gets the first free place; a mediated one shows no display unless asked.

    Follows: qemuDomainHostdevDefPostParse, virDomainHostdevDefPostParse
    """
    if hostdev.mode != "subsystem":
        return hostdev
    if hostdev.type == "scsi":
        return _scsi(state, hostdev)
    if hostdev.type == "mdev":
        return _mdev(state, hostdev)
    return hostdev


# Follows: virDomainHostdevDefPostParse, virDomainHostdevAssignAddress
def _scsi(state: State, hostdev: Hostdev) -> Hostdev:
    source = hostdev.source
    if source.protocol == "iscsi" and source.name and "/" not in source.name:
        hostdev = evolve(hostdev, source=evolve(source, name=f"{source.name}/0"))
    if hostdev.address is None:
        controller, bus, target, unit = state.free_scsi_place()
        address = DriveAddress(type="drive", controller=controller, bus=bus, target=target, unit=unit)
        hostdev = evolve(hostdev, address=address)
    elif isinstance(hostdev.address, DriveAddress) and place(hostdev.address) in state.scsi_disks:
        raise Refused("XML error: a SCSI disk is where this host device shall be", hostdev)
    return hostdev


# Follows: qemuDomainHostdevDefMdevPostParse, virDomainHostdevDefPostParse
def _mdev(state: State, hostdev: Hostdev) -> Hostdev:
    if hostdev.model == "vfio-pci" and hostdev.display is None and "vfio-pci.display" in state.caps:
        hostdev = evolve(hostdev, display=False)
    expected = _MDEV_ADDRESSES.get(hostdev.model or "")
    if hostdev.address is not None and expected is not None and not isinstance(hostdev.address, expected):
        raise Refused(f"XML error: a {hostdev.model} device has no address of this type", hostdev)
    return hostdev
