"""Devices of the host: PCI and NICs on PCI, USB, SCSI, vhost-scsi, mediated ones.

QEMU is told where a device is and opens it itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qcaps.domainxml.address import UnassignedAddress
from qcaps.domainxml.devices import Disk, Hostdev, Interface
from qcaps.domainxml.devices.on_host import HostMdevAddress, HostPciAddress, HostScsiAddress, HostUsbAddress
from qcaps.rules.refusal import Refused
from qcaps.rules.shared.image import numbered
from qcaps.rules.shared.protocol import secret
from qcaps.rules.start.address import placed, rom, zpci
from qcaps.rules.start.argument import blockdev, on_off
from qcaps.rules.start.virtio import virtio

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from qcaps.domainxml.devices.on_host import Teaming
    from qcaps.rules.start.argument import Json
    from qcaps.rules.start.launch import Launch

_RESETS: Final = {"off": (False, None), "uninitialized": (True, False), "on": (True, True)}
"""Whether the guest may reset a USB device, and whether it may reset one that is in use."""


def hostdevs(launch: Launch) -> Iterator[str]:
    """Interfaces that are host devices, then host devices.

    Follows: qemuBuildHostdevCommandLine
    """
    for nic in launch.of(Interface):
        if nic.type == "hostdev":
            yield from _nic(launch, nic)
    found = launch.of(Hostdev)
    has_scsi = any(hostdev.type == "scsi" for hostdev in found)
    number = sum(map(len, numbered(launch.of(Disk)).values())) if has_scsi else 0  # images are counted first
    for hostdev in found:
        if hostdev.mode != "subsystem":
            continue
        if hostdev.type == "scsi":
            number += 1
            yield from _scsi(launch, hostdev, f"libvirt-{number}-backend")
        else:
            yield from _TYPES[hostdev.type](launch, hostdev)


# Follows: qemuBuildPCIHostdevDevProps
def _vfio(
    launch: Launch, device: Hostdev | Interface, at: HostPciAddress, teaming: Teaming | None
) -> Iterator[str]:
    yield from zpci(launch, device)
    pair = teaming.persistent if teaming and teaming.type == "transient" else None
    yield from launch.device(
        {
            "driver": "vfio-pci",
            "host": f"{at.domain or 0:04x}:{at.bus or 0:02x}:{at.slot or 0:02x}.{at.function or 0}",
            "id": launch.alias(device),
            "bootindex": launch.boot_index(device),
            "failover_pair_id": pair,
            **placed(launch, device),
            **rom(device),
        }
    )


# Follows: qemuBuildHostdevCommandLine
def _nic(launch: Launch, nic: Interface) -> Iterator[str]:
    at = nic.source.host_address if nic.source else None
    if isinstance(at, HostUsbAddress):
        yield from launch.device(
            {"driver": "usb-host", **_usb_place(launch, at), "id": launch.alias(nic), **placed(launch, nic)}
        )
    elif at is None:
        raise Refused("an interface of type 'hostdev' needs the <address> of its device", nic)
    else:
        yield from _vfio(launch, nic, at, nic.teaming)


def _pci(launch: Launch, hostdev: Hostdev) -> Iterator[str]:
    if isinstance(hostdev.address, UnassignedAddress):
        return
    if hostdev.driver and hostdev.driver.name in ("kvm", "xen"):
        raise Refused(f"QEMU passes no PCI device through with '{hostdev.driver.name}'", hostdev)
    at = hostdev.source.address
    if not isinstance(at, HostPciAddress):
        raise Refused("a PCI device of the host needs its <address>", hostdev)
    yield from _vfio(launch, hostdev, at, hostdev.teaming)


def _usb_place(launch: Launch, at: HostUsbAddress) -> dict[str, Json]:
    if "usb-host.hostdevice" in launch.capabilities:
        return {"hostdevice": f"/dev/bus/usb/{at.bus:03d}/{at.device:03d}"}
    return {"hostbus": at.bus or None, "hostaddr": at.device or None}


def _plugged_in(launch: Launch, hostdev: Hostdev) -> HostUsbAddress:
    """A place for a device that is known by vendor and product: on bus 0, which no host has."""
    source = hostdev.source
    known = ":".join(f"{one.id:04x}" if one else "????" for one in (source.vendor, source.product))
    before = sum(one.startswith("USB device ") for one in launch.assumed)
    place = HostUsbAddress(bus=0, device=1 + before)
    launch.assumed.append(f"USB device {known} of the host -> bus {place.bus}, device {place.device}")
    return place


# Follows: qemuBuildUSBHostdevDevProps
def _usb(launch: Launch, hostdev: Hostdev) -> Iterator[str]:
    at = hostdev.source.address
    place: dict[str, Json] = {}
    if not hostdev.source.missing:
        if not isinstance(at, HostUsbAddress) or (at.bus == 0 and at.device == 0):
            at = _plugged_in(launch, hostdev)
        place = _usb_place(launch, at)
    reset, resets_all = _RESETS.get(hostdev.source.guest_reset or "", (None, None))
    yield from launch.device(
        {
            "driver": "usb-host",
            **place,
            "id": launch.alias(hostdev),
            "bootindex": launch.boot_index(hostdev),
            "guest-reset": reset,
            "guest-resets-all": resets_all,
            **placed(launch, hostdev),
        }
    )


# Follows: qemuBuildHostdevSCSICommandLine, qemuBuildSCSIHostdevDevProps
def _scsi(launch: Launch, hostdev: Hostdev, node: str) -> Iterator[str]:
    yield from blockdev(
        {
            **_scsi_place(hostdev, node),
            "node-name": node,
            "read-only": hostdev.readonly,
        }
    )
    yield from launch.device(
        {
            "driver": "scsi-generic",
            "drive": node,
            "id": launch.alias(hostdev),
            "bootindex": launch.boot_index(hostdev),
            **placed(launch, hostdev),
        }
    )


# Follows: qemuBuildHostdevSCSIAttachPrepare
def _scsi_place(hostdev: Hostdev, node: str) -> dict[str, Json]:
    source = hostdev.source
    if source.protocol != "iscsi":
        at = source.address
        adapter = (source.adapter.name if source.adapter else None) or ""
        if not isinstance(at, HostScsiAddress) or not adapter:
            raise Refused("a SCSI device of the host needs an <adapter> and an <address>", hostdev)
        # libvirt finds the generic device (/dev/sg0 …) in sysfs; this is the name udev gives the same
        place = f"{adapter.removeprefix('scsi_host')}:{at.bus}:{at.target}:{at.unit}"
        return {"driver": "host_device", "filename": f"/dev/bsg/{place}"}
    if not source.host:
        raise Refused("an iSCSI device needs a <host>", hostdev)
    host = source.host[0]
    target, _, unit = (source.name or "").partition("/")
    return {
        "driver": "iscsi",
        "portal": f"{host.name}:{host.port or 3260}",
        "target": target,
        "lun": int(unit) if unit.isdecimal() else 0,
        "transport": "tcp",
        "user": source.auth.username if source.auth else None,
        "password-secret": secret(node, "auth") if source.auth else None,
        "initiator-name": source.initiator.iqn.name if source.initiator and source.initiator.iqn else None,
    }


# Follows: qemuBuildSCSIVHostHostdevDevProps
def _vhost_scsi(launch: Launch, hostdev: Hostdev) -> Iterator[str]:
    if hostdev.source.protocol == "vhost":
        yield from launch.device(
            {
                **virtio(launch, hostdev, "vhost-scsi", model=hostdev.model),
                "wwpn": hostdev.source.wwpn or "",
                "id": launch.alias(hostdev),
                **placed(launch, hostdev),
            }
        )


# Follows: qemuBuildHostdevMediatedDevProps
def _mediated(launch: Launch, hostdev: Hostdev) -> Iterator[str]:
    at = hostdev.source.address
    if not isinstance(at, HostMdevAddress):
        raise Refused("a mediated device needs its <address uuid=…>", hostdev)
    has_ramfb = hostdev.ramfb is True
    yield from launch.device(
        {
            "driver": "vfio-pci-nohotplug" if has_ramfb and hostdev.model == "vfio-pci" else hostdev.model,
            "id": launch.alias(hostdev),
            "sysfsdev": f"/sys/bus/mdev/devices/{at.uuid}",
            "display": on_off(state=hostdev.display),
            "ramfb": True if has_ramfb else None,
            "bootindex": launch.boot_index(hostdev),
            **placed(launch, hostdev),
        }
    )


_TYPES: dict[str, Callable[[Launch, Hostdev], Iterator[str]]] = {
    "pci": _pci,
    "usb": _usb,
    "scsi_host": _vhost_scsi,
    "mdev": _mediated,
}
