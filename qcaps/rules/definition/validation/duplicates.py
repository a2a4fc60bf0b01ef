"""What devices have to do with each other: names, host devices and drive addresses that are used twice."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from qcaps.domainxml.devices import Console, Disk, Filesystem, Hostdev, Interface, Iommu, Serial, Video
from qcaps.domainxml.devices.on_host import HostMdevAddress, HostPciAddress, HostScsiAddress, HostUsbAddress
from qcaps.domainxml.syntax import uuid
from qcaps.rules import orders
from qcaps.rules.definition.validation.cpu import topology_vcpus
from qcaps.rules.definition.validation.firmware import check_boot_options, check_os
from qcaps.rules.definition.validation.memory import check_hugepage_nodes
from qcaps.rules.definition.validation.numa import check_numa
from qcaps.rules.definition.validation.tuning import (
    check_cputune,
    check_pool_sizes,
    check_resource,
)
from qcaps.rules.shared.refuse import malformed, unsupported
from qcaps.rules.shared.storage import storage_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qcaps.domainxml.address import DriveAddress
    from qcaps.domainxml.device import Device
    from qcaps.rules.shared.guest import Guest

_USER = re.compile(r"ua-[-A-Za-z0-9_]*")
"""The user's own aliases; any other is dropped when the domain is defined, and made anew at each start."""


def check_together(guest: Guest) -> None:
    """What libvirt checks of the domain after its devices.

    Follows: virDomainDefValidateInternal
    """
    check_resource(guest)
    _check_disk_targets(guest)
    _check_hostdevs(guest)
    _check_drive_addresses(guest)
    topology_vcpus(guest)
    _check_aliases(guest)
    _check_iommu(guest)
    _check_lifecycle(guest)
    check_hugepage_nodes(guest)
    check_os(guest)
    check_cputune(guest)
    check_boot_options(guest)
    _check_primary_video(guest)
    _check_idmap(guest)
    check_numa(guest)
    _check_virtiofs(guest)
    check_pool_sizes(guest)


# Follows: virDomainDefDuplicateDiskInfoValidate
def _check_disk_targets(guest: Guest) -> None:
    seen: dict[str, Disk] = {}
    for disk in guest.draft.of(Disk):
        name = disk.target.dev if disk.target is not None else ""
        if (other := seen.setdefault(name, disk)) is not disk:
            paths = " and ".join(f"'{storage_of(one).path or ''}'" for one in (other, disk))
            raise malformed(f"target '{name}' belongs to two disks, on {paths}", disk)


# Follows: virDomainDefHostdevValidate
def _check_hostdevs(guest: Guest) -> None:
    seen: set[tuple[object, ...]] = set()
    ramfb = False
    for hostdev in guest.draft.of(Hostdev):
        keys = _host_keys(hostdev)
        if seen.intersection(keys):
            raise malformed("the same host device is there twice", hostdev)
        seen.update(keys[:1])
        if hostdev.type == "mdev" and hostdev.ramfb:
            if ramfb:
                raise unsupported("one mediated device can have ramfb='on'", hostdev)
            ramfb = True
    for nic in guest.draft.of(Interface):
        key = _network_key(nic)
        if key is not None:
            if key in seen:
                raise malformed("the same host device is there twice", nic)
            seen.add(key)


def _pci_key(address: HostPciAddress) -> tuple[object, ...]:
    return ("pci", address.domain or 0, address.bus or 0, address.slot or 0, address.function or 0)


def _network_key(nic: Interface) -> tuple[object, ...] | None:
    if nic.type != "hostdev" or nic.source is None:
        return None
    address = nic.source.host_address
    if isinstance(address, HostUsbAddress):
        return ("usb", address.bus, address.device)
    return _pci_key(address) if isinstance(address, HostPciAddress) else None


def _host_keys(hostdev: Hostdev) -> tuple[tuple[object, ...], ...]:
    """What it is found by first, and by what else an earlier one may be the same.

    Follows: virDomainHostdevMatchSubsysUSB
    """
    key = _host_key(hostdev)
    if key is None:
        return ()
    if hostdev.type == "usb" and hostdev.mode == "subsystem":
        source = hostdev.source
        vendor, product = source.vendor, source.product
        return (key, ("usb id", vendor.id if vendor else 0, product.id if product else 0))
    return (key,)


def _host_key(hostdev: Hostdev) -> tuple[object, ...] | None:  # noqa: PLR0911  # one for each kind of key
    """What two entries for one host device have in common."""
    source, address = hostdev.source, hostdev.source.address
    match address:
        case HostPciAddress():
            return _pci_key(address)
        case HostUsbAddress() if address.bus and address.device:
            return ("usb", address.bus, address.device)
        case HostMdevAddress():
            return ("mdev", uuid(address.uuid))
        case HostScsiAddress() if source.adapter is not None:
            return ("scsi", source.adapter.name, address.bus, address.target, address.unit)
    if hostdev.type == "usb":
        vendor, product = source.vendor, source.product
        return ("usb id", vendor.id if vendor else 0, product.id if product else 0)
    if hostdev.type == "scsi" and source.host:
        host = source.host[0]
        return ("iscsi", host.name, host.port, source.name)
    if hostdev.type == "scsi_host":
        return ("scsi_host", source.protocol, source.wwpn)
    if hostdev.mode == "capabilities":
        return (hostdev.type, source.block, source.char, source.interface)
    return None


def _drive_key(address: DriveAddress) -> tuple[int, int, int, int]:
    return (address.controller or 0, address.bus or 0, address.target or 0, address.unit or 0)


def _where(key: tuple[int, int, int, int]) -> str:
    names = ("controller", "bus", "target", "unit")
    return " ".join(f"{name}='{number}'" for name, number in zip(names, key, strict=True))


# Follows: virDomainDefDuplicateDriveAddressesValidate
def _check_drive_addresses(guest: Guest) -> None:
    disks: set[tuple[str | None, tuple[int, int, int, int]]] = set()
    for disk in guest.draft.of(Disk):
        address = disk.address
        if address is None or address.type != "drive" or disk.target is None:
            continue
        key = _drive_key(address)
        if (disk.target.bus, key) in disks:
            raise unsupported(f"drive address {_where(key)} of disk '{disk.target.dev}' is used twice", disk)
        disks.add((disk.target.bus, key))
    hosts: set[tuple[int, int, int, int]] = set()
    for hostdev in guest.draft.of(Hostdev):
        address = hostdev.address
        if hostdev.type != "scsi" or address is None or address.type != "drive":
            continue
        key = _drive_key(address)
        if key in hosts:
            raise unsupported(f"SCSI address {_where(key)} is used by another host device", hostdev)
        if ("scsi", key) in disks:
            raise unsupported(f"SCSI address {_where(key)} is used by a disk", hostdev)
        hosts.add(key)


# Follows: virDomainDeviceDefValidateAliasesIterator
def _aliases(guest: Guest) -> Iterator[tuple[str, Device]]:
    draft = guest.draft
    serials, consoles = draft.of(Serial), draft.of(Console)
    # the first console often is the first serial port seen again
    twin = None
    if serials and consoles:
        kind = consoles[0].target.type if consoles[0].target is not None else None
        if kind in (None, "serial"):
            twin = serials[0]
    passed: set[int] = set()
    for device in orders.visited(draft):
        alias = device.alias
        if alias is None or alias.name is None or device is twin or not _USER.fullmatch(alias.name):
            continue
        if id(device) not in passed:  # a NIC that is a host device comes twice
            passed.add(id(device))
            yield alias.name, device


# Follows: virDomainDefValidateAliases
def _check_aliases(guest: Guest) -> None:
    seen: set[str] = set()
    for name, device in _aliases(guest):
        if name in seen:
            raise unsupported(f"alias '{name}' is used twice", device)
        seen.add(name)


def check_alias_free(guest: Guest, device: Device) -> None:
    """Refuses a device whose alias another has.

    Follows: virDomainDeviceValidateAliasForHotplug
    """
    if device.alias is None or device.alias.name is None:
        return
    if any(name == device.alias.name for name, _ in _aliases(guest)):
        raise unsupported(f"alias '{device.alias.name}' is used twice", device)


# Follows: virDomainDefIOMMUValidate
def _check_iommu(guest: Guest) -> None:
    for iommu in guest.draft.of(Iommu):
        if iommu.driver is None:
            continue
        features = guest.domain.features
        split = features is not None and features.ioapic is not None and features.ioapic.driver == "qemu"
        if iommu.driver.intremap and not split:
            raise unsupported("intremap='on' needs <ioapic driver='qemu'/>", iommu)
        if iommu.driver.eim and not iommu.driver.intremap:
            raise unsupported("eim='on' needs intremap='on'", iommu)


# Follows: virDomainDefLifecycleActionValidate
def _check_lifecycle(guest: Guest) -> None:
    domain = guest.domain
    for name in ("on_poweroff", "on_reboot"):
        action = getattr(domain, name)
        if action in ("coredump-destroy", "coredump-restart"):
            raise unsupported(f"'{action}' is for on_crash, not {name}", domain)


# Follows: virDomainDefVideoValidate
def _check_primary_video(guest: Guest) -> None:
    primary = [video for video in guest.draft.of(Video) if video.model is not None and video.model.primary]
    if len(primary) > 1:
        raise unsupported("one video device can be primary", primary[1])


# Follows: virDomainDefIdMapValidate
def _check_idmap(guest: Guest) -> None:
    idmap = guest.domain.idmap
    if idmap is None:
        return
    if bool(idmap.uid) != bool(idmap.gid):
        raise unsupported("<idmap> needs users and groups, or neither", idmap)
    for ranges in (idmap.uid, idmap.gid):
        if ranges and min(one.start for one in ranges) != 0:
            raise unsupported("<idmap> must map user and group 0 of the container", idmap)


# Follows: virDomainDefFSValidate
def _check_virtiofs(guest: Guest) -> None:
    seen: set[str] = set()
    for filesystem in guest.draft.of(Filesystem):
        if filesystem.driver is None or filesystem.driver.type != "virtiofs" or filesystem.target is None:
            continue
        name = filesystem.target.dir or ""
        if name in seen:
            raise unsupported(f"filesystem target '{name}' is there twice", filesystem)
        seen.add(name)
