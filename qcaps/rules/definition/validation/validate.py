"""Validation: whether this QEMU, this machine and this host can do what the domain asks.

In libvirt's order: the domain, each device (first what any hypervisor asks, then what QEMU asks), and what
devices have to do with each other. Refusals of libvirt's parser are in `reading`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcaps.domainxml.devices import Interface, Memory
from qcaps.lookups.site import Site
from qcaps.rules import orders
from qcaps.rules.definition.reading.checks import check_parsed, check_parsed_device
from qcaps.rules.definition.validation.address import check_address, check_qemu_address
from qcaps.rules.definition.validation.domain import check_domain
from qcaps.rules.definition.validation.duplicates import check_alias_free, check_together
from qcaps.rules.definition.validation.memory import check_hotplug
from qcaps.rules.devices.hostdev.refuse import refuse_interface, refuse_interface_by_qemu
from qcaps.rules.shared.guest import Guest
from qcaps.rules.shared.host_facts import PLAIN_HOST, HostFacts

if TYPE_CHECKING:
    from qcaps.capabilities.model import Capabilities
    from qcaps.domainxml.device import Device
    from qcaps.lookups.lookup import Asked
    from qcaps.rules.draft import Draft

__all__ = ["PLAIN_HOST", "HostFacts", "check_parsed", "check_parsed_device", "validate", "validate_device"]


_REFUSE = {kind.device: kind.refuse for kind in orders.VISITED if kind.refuse is not None}
_REFUSE_BY_QEMU = {
    kind.device: kind.refuse_by_qemu for kind in orders.VISITED if kind.refuse_by_qemu is not None
}


def validate(
    draft: Draft,
    lookup: Asked,
    domain_site: Site = Site.VALIDATE,
    device_site: Site = Site.VALIDATE_DEVICE,
    host: HostFacts = PLAIN_HOST,
) -> None:
    """Refuses a domain that cannot be; capabilities are looked up once for it and once for each device.

    Follows: virDomainDefValidate
    """
    guest = Guest(draft, host)
    check_domain(guest, lookup.at(domain_site))
    networks: set[int] = set()  # of type hostdev, by identity: they come first as NICs, then as host devices
    for device in orders.visited(draft):
        if type(device) is Interface and device.type == "hostdev":
            if id(device) in networks:
                refuse_interface(device, guest)
                capabilities = lookup.at(device_site, device)
                check_qemu_address(device, guest, capabilities)
                refuse_interface_by_qemu(device, guest, capabilities)
                continue
            networks.add(id(device))
        _check_any_hypervisor(device, guest)
        _check_qemu(device, guest, lookup.at(device_site, device))
    check_together(guest)


def validate_device(
    draft: Draft, device: Device, capabilities: Capabilities, host: HostFacts = PLAIN_HOST
) -> None:
    """Refuses a device that cannot be added to the domain.

    Follows: virDomainDeviceDefValidate
    """
    guest = Guest(draft, host)
    _check_any_hypervisor(device, guest)
    _check_qemu(device, guest, capabilities)
    if isinstance(device, Memory):
        check_hotplug(guest, device)
    check_alias_free(guest, device)


# Follows: virDomainDeviceDefValidateInternal
def _check_any_hypervisor(device: Device, guest: Guest) -> None:
    check_address(device)
    if (check := _REFUSE.get(type(device))) is not None:
        check(device, guest)


# Follows: qemuValidateDomainDeviceDef
def _check_qemu(device: Device, guest: Guest, capabilities: Capabilities) -> None:
    check_qemu_address(device, guest, capabilities)
    if (check := _REFUSE_BY_QEMU.get(type(device))) is not None:
        check(device, guest, capabilities)
