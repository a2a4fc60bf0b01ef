"""Device numbers in the channel subsystem of s390."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qcaps.domainxml.address import CcwAddress
from qcaps.domainxml.codec import evolve
from qcaps.domainxml.devices import Hostdev
from qcaps.rules.addresses.order import addressed
from qcaps.rules.addresses.prime import virtio_without_address
from qcaps.rules.machine import is_s390_ccw
from qcaps.rules.refusal import Refused

if TYPE_CHECKING:
    from qcaps.capabilities.model import Capabilities
    from qcaps.rules.draft import Draft

_VIRTIO_CSS = 0xFE
"""The channel subsystem that QEMU keeps for virtio; libvirt gives out numbers of its set 0."""
_LAST = 0xFFFF
_EMPTY = CcwAddress()
_FIRST = CcwAddress(cssid=_VIRTIO_CSS, ssid=0, devno=0)


def assign_ccw(draft: Draft, caps: Capabilities) -> None:
    """Puts virtio devices on the channel subsystem and numbers them. Raises Refused.

    Follows: qemuDomainAssignS390Addresses
    """
    if not is_s390_ccw(draft.domain):
        return
    if "vfio-ccw" in caps:
        _prime_hostdevs(draft.of(Hostdev))
    for devices, index in virtio_without_address(draft, ccw=True):
        devices[index] = evolve(devices[index], address=_EMPTY)
    _number_devices([item for item in addressed(draft) if type(item[2].address) is CcwAddress])


# Follows: qemuDomainPrimeVfioDeviceAddresses
def _prime_hostdevs(hostdevs: list[Hostdev]) -> None:
    for index, hostdev in enumerate(hostdevs):
        if hostdev.mode != "subsystem" or hostdev.type != "mdev":
            continue
        if hostdev.model == "vfio-ccw" and hostdev.address is None:
            hostdevs[index] = evolve(hostdev, address=_EMPTY)
        elif hostdev.model == "vfio-ap" and hostdev.address is not None:
            hostdevs[index] = evolve(hostdev, address=None)


# Follows: virDomainCCWAddressSetCreateFromDomain, virDomainCCWAddressAssign
def _number_devices(on_channel: list[tuple[list[Any], int, Any]]) -> None:
    used: set[tuple[int, int, int]] = set()
    for _, _, device in on_channel:
        if (number := _number(device.address)) is None:
            continue
        if number in used:
            cssid, ssid, devno = number
            raise Refused(f"XML error: CCW devno {cssid:x}.{ssid:x}.{devno:04x} is used twice", device)
        used.add(number)
    devno = 0
    for devices, index, device in on_channel:
        if _number(device.address) is not None:
            continue
        while (_VIRTIO_CSS, 0, devno) in used:
            devno += 1
        if devno > _LAST:
            raise Refused("internal error: no CCW devno is free", device)
        devices[index] = evolve(device, address=evolve(_FIRST, devno=devno))
        devno += 1


def _number(address: CcwAddress) -> tuple[int, int, int] | None:
    if address.cssid is None or address.ssid is None or address.devno is None:
        return None
    return address.cssid, address.ssid, address.devno
