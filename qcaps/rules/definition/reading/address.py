"""What every device has: address, boot order, ROM, ACPI index."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from qcaps.domainxml.address import CcwAddress, DimmAddress, PciAddress, UsbAddress, VirtioS390Address
from qcaps.domainxml.devices import Controller, Memballoon
from qcaps.rules import orders
from qcaps.rules.refusal import Refused
from qcaps.rules.shared.pci import check_pci_numbers
from qcaps.rules.shared.refuse import internal, malformed, unsupported

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from qcaps.domainxml.device import Device

_PORT = re.compile(r"\s*\+?\d{1,10}(?:\.\s*\+?\d{1,10}){0,3}")
"""A USB port: up to four numbers, one for each hub on the way."""

_WITH_BOOT = frozenset(kind.device for kind in orders.WRITTEN if kind.boots)
_WITH_ROM = frozenset(kind.device for kind in orders.WRITTEN if kind.has_rom)
_LONGEST_LOADPARM = 8
_LOADPARM = re.compile(r"[A-Za-z0-9. ]*")
_MOST_CSSID, _MOST_SSID, _MOST_DEVNO = 0xFE, 3, 0xFFFF


def check_parsed_info(device: Device) -> None:
    """Refuses numbers that no bus has, and settings that contradict each other.

    Follows: virDomainDeviceInfoParseXML, virDomainDeviceBootParseXML
    """
    if _is_nothing(device):
        return
    address = device.address
    if address is not None and (check := _ADDRESSES.get(type(address))) is not None:
        check(address, device)
    if device.acpi is not None and device.acpi.index == 0:
        raise malformed("the ACPI index is above 0", device)
    boot, rom = device.boot, device.rom
    if boot is not None and not boot.order and type(device) in _WITH_BOOT:
        raise malformed("<boot> needs an order above 0", device)
    if boot is not None and boot.loadparm is not None and type(device) in _WITH_BOOT:
        if not 1 <= len(boot.loadparm.encode()) <= _LONGEST_LOADPARM:
            raise Refused(
                f"loadparm '{boot.loadparm}' is not 1 to {_LONGEST_LOADPARM} characters long", device
            )
        if not _LOADPARM.fullmatch(boot.loadparm):
            raise Refused(
                f"loadparm '{boot.loadparm}' has characters other than letters, digits, '.' and ' '", device
            )
    off = rom is not None and rom.enabled is False and type(device) in _WITH_ROM
    if off and rom is not None and (rom.bar is not None or rom.file is not None):
        raise unsupported("<rom> is disabled, and yet has a bar or a file", device)


def _is_nothing(device: Device) -> bool:
    """A device that says there is none; libvirt does not look at its address."""
    kind = type(device)
    if kind is Memballoon or (kind is Controller and getattr(device, "type", None) == "usb"):
        return getattr(device, "model", None) == "none"
    return False


# Follows: virDomainDeviceUSBAddressParsePort
def _check_usb(address: UsbAddress, device: Device) -> None:
    if address.port is not None and not _PORT.fullmatch(address.port):
        raise internal(f"USB port '{address.port}' is not up to four numbers, as in 1.2", device)


def _check_ccw(address: CcwAddress, device: Device) -> None:
    given = (address.cssid, address.ssid, address.devno)
    most = (_MOST_CSSID, _MOST_SSID, _MOST_DEVNO)
    if any((one or 0) > limit for one, limit in zip(given, most, strict=True)):
        raise internal("a CCW address is above 0xfe.0x3.0xffff", device)
    if any(one is None for one in given) and any(one is not None for one in given):
        raise internal("a CCW address has cssid, ssid and devno, or none of them", device)


def _check_s390(_address: VirtioS390Address, device: Device) -> None:
    raise malformed("there are no addresses on the bus 'virtio-s390'", device)


# Follows: virDomainDeviceDimmAddressParseXML
def _check_dimm(address: DimmAddress, device: Device) -> None:
    if address.slot is None:
        raise malformed("slot of the address is missing", device)


_ADDRESSES: dict[type, Callable[[Any, Device], None]] = {
    PciAddress: check_pci_numbers,
    UsbAddress: _check_usb,
    CcwAddress: _check_ccw,
    VirtioS390Address: _check_s390,
    DimmAddress: _check_dimm,
}
