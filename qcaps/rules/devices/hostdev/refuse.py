"""`<hostdev>`, and the interfaces that are host devices."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcaps.domainxml.devices.on_host import HostUsbAddress
from qcaps.rules.shared.guest import address_type
from qcaps.rules.shared.refuse import internal, need, unsupported

if TYPE_CHECKING:
    from qcaps.capabilities.model import Capabilities
    from qcaps.domainxml.devices import Hostdev, Interface
    from qcaps.rules.shared.guest import Guest

_ADDRESSES = {
    "pci": ("pci", "unassigned"),
    "scsi": ("drive",),
    "scsi_host": ("pci", "ccw"),
    "usb": ("usb",),
}
"""Types of address that a host device of each type may have in the guest."""


def refuse(hostdev: Hostdev, _guest: Guest) -> None:
    """What holds for a host device under any hypervisor.

    Follows: virDomainHostdevDefValidate
    """
    if hostdev.mode == "subsystem":
        kind = address_type(hostdev)
        if kind is not None and kind not in _ADDRESSES.get(hostdev.type, (kind,)):
            why = f"a host device of type '{hostdev.type}' takes no address of type '{kind}'"
            raise (internal if hostdev.type == "pci" else unsupported)(why, hostdev)
        if hostdev.type == "scsi" and hostdev.sgio == "unfiltered":
            raise unsupported("sgio='unfiltered' is no longer possible", hostdev)
    teaming = hostdev.teaming
    if teaming is not None:
        if teaming.type != "transient" or teaming.persistent is None:
            raise unsupported("teaming of a host device is transient and names a persistent device", hostdev)
        if hostdev.mode != "subsystem" or hostdev.type != "pci":
            raise unsupported("teaming is for PCI devices", hostdev)


def refuse_by_qemu(hostdev: Hostdev, guest: Guest, caps: Capabilities) -> None:
    """What QEMU, or this QEMU, cannot do with a host device.

    Follows: qemuValidateDomainDeviceDefHostdev
    """
    if hostdev.mode == "capabilities":
        raise unsupported(f"mode='capabilities' does not go with domain type '{guest.domain.type}'", hostdev)
    if hostdev.type == "usb":
        if hostdev.source.guest_reset is not None:
            need(caps, "usb-host.guest-resets-all", "guestReset", hostdev)
    elif hostdev.type == "pci":
        _check_vfio(hostdev, caps)
        if hostdev.source.write_filtering is not None:
            raise unsupported("QEMU has no writeFiltering", hostdev)
    elif hostdev.type == "scsi_host":
        if hostdev.boot is not None:
            raise unsupported("a vhost SCSI device cannot be booted from", hostdev)
        if hostdev.source.protocol == "vhost":
            need(caps, "vhost-scsi", "a vhost SCSI device", hostdev)
    elif hostdev.type == "mdev":
        _check_mdev(hostdev, guest, caps)


def _check_vfio(device: Hostdev | Interface, caps: Capabilities) -> None:
    if device.driver is not None and device.driver.name == "vfio":
        need(caps, "vfio-pci", "VFIO", device)


def refuse_interface(interface: Interface, _guest: Guest) -> None:
    """The host device behind an interface: its address.

    Follows: virDomainHostdevDefValidate
    """
    kind = address_type(interface)
    source = interface.source
    host = source.host_address if source is not None else None
    host_type = None if host is None else "usb" if isinstance(host, HostUsbAddress) else "pci"
    if kind is not None and kind not in _ADDRESSES.get(host_type or "", (kind,)):
        raise internal(f"a host device of type '{host_type}' takes no address of type '{kind}'", interface)


def refuse_interface_by_qemu(interface: Interface, _guest: Guest, caps: Capabilities) -> None:
    """The host device behind an interface: VFIO.

    Follows: qemuValidateDomainDeviceDefHostdev
    """
    _check_vfio(interface, caps)


# Follows: qemuValidateDomainMdevDef, qemuValidateDomainMdevDefVFIOPCI, qemuValidateDomainMdevDefVFIOAP
def _check_mdev(hostdev: Hostdev, guest: Guest, caps: Capabilities) -> None:
    if hostdev.model == "vfio-ccw":
        need(caps, "vfio-ccw", "a mediated device of model 'vfio-ccw'", hostdev)
        return
    need(caps, hostdev.model or "vfio-pci", f"a mediated device of model '{hostdev.model}'", hostdev)
    if hostdev.boot is not None:
        raise unsupported(f"a mediated device of model '{hostdev.model}' cannot be booted from", hostdev)
    if hostdev.model == "vfio-ap":
        if guest.vfio_ap_count > 1:
            raise unsupported("there can be one host device of model 'vfio-ap'", hostdev)
        return
    if hostdev.display is None:
        return
    need(caps, "vfio-pci.display", "display of a mediated device", hostdev)
    if hostdev.display and not guest.graphics:
        raise unsupported("display='on' of a mediated device needs graphics", hostdev)
