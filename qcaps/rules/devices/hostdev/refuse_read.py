"""`<hostdev>`: whether its source says which device it is, as libvirt's parser sees it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from qcaps.domainxml.devices.on_host import HostPciAddress
from qcaps.domainxml.syntax import uuid
from qcaps.rules.shared.hosts import check_hosts
from qcaps.rules.shared.pci import check_pci_numbers
from qcaps.rules.shared.refuse import internal, malformed, unsupported

if TYPE_CHECKING:
    from collections.abc import Callable

    from qcaps.domainxml.devices import Hostdev

_WWPN = re.compile(r"naa\.(?:0x)?[0-9a-fA-F]{16}")


def refuse_read(hostdev: Hostdev) -> None:
    """Refuses a source that does not say which device it is, and attributes of other types of device.

    Follows: virDomainHostdevDefParseXMLSubsys, virDomainHostdevDefParseXMLCaps, virDomainHostdevDefParseXML
    """
    kind, source = hostdev.type, hostdev.source
    if hostdev.mode == "capabilities":
        wanted = {"storage": source.block, "misc": source.char, "net": source.interface}[kind]
        if wanted is None:
            raise malformed(f"the source of a host device of type '{kind}' is missing", hostdev)
        return
    if kind != "usb" and source.startup_policy is not None:
        raise unsupported("startupPolicy is for USB devices", hostdev)
    for name in ("sgio", "rawio"):
        if kind != "scsi" and getattr(hostdev, name) is not None:
            raise malformed(f"{name} is for SCSI devices", hostdev)
    if hostdev.model is not None and kind not in ("mdev", "scsi_host"):
        raise malformed(f"a host device of type '{kind}' has no model", hostdev)
    if isinstance(source.address, HostPciAddress):
        check_pci_numbers(source.address, hostdev)
    if (check := _HOSTDEVS.get(kind)) is not None:
        check(hostdev)


# Follows: virDomainHostdevSubsysUSBDefParseXML
def _check_usb_hostdev(hostdev: Hostdev) -> None:
    source = hostdev.source
    if (source.vendor is None) != (source.product is None):
        raise internal("a USB device is named by vendor and product", hostdev)
    if source.vendor is not None and source.vendor.id == 0:
        raise malformed("the vendor of a USB device is not 0", hostdev)


# Follows: virDomainHostdevSubsysSCSIHostDefParseXML, virDomainHostdevSubsysSCSIiSCSIDefParseXML
def _check_scsi_hostdev(hostdev: Hostdev) -> None:
    source = hostdev.source
    if source.protocol == "iscsi":
        if source.name is None:
            raise malformed("an iSCSI device needs <source name=…>", hostdev)
        if len(source.host) != 1:
            raise malformed(f"an iSCSI device has one host, not {len(source.host)}", hostdev)
        check_hosts(source.host)
        if source.auth is not None and source.auth.secret.type != "iscsi":
            raise internal(f"iSCSI takes a secret of type 'iscsi', not '{source.auth.secret.type}'", hostdev)
        return
    if source.protocol not in (None, "adapter"):
        raise unsupported(f"a SCSI device has no protocol '{source.protocol}'", hostdev)
    if source.address is None:
        raise malformed("a SCSI device needs <source><address>", hostdev)
    if source.adapter is None or source.adapter.name is None:
        raise malformed("a SCSI device needs <source><adapter name=…>", hostdev)


# Follows: virDomainHostdevSubsysSCSIVHostDefParseXML
def _check_scsi_host(hostdev: Hostdev) -> None:
    if hostdev.source.protocol != "vhost":
        raise malformed(f"a vhost SCSI device has protocol 'vhost', not '{hostdev.source.protocol}'", hostdev)
    if hostdev.source.wwpn is None or not _WWPN.fullmatch(hostdev.source.wwpn):
        raise malformed("a vhost SCSI device needs a wwpn, as in naa.5123456789abcde0", hostdev)


# Follows: virDomainHostdevSubsysMediatedDevDefParseXML
def _check_mdev(hostdev: Hostdev) -> None:
    address = hostdev.source.address
    if address is None:
        raise unsupported("a mediated device needs <source><address uuid=…>", hostdev)
    try:
        uuid(getattr(address, "uuid", ""))
    except ValueError as error:
        raise internal(str(error), hostdev) from None


_HOSTDEVS: dict[str, Callable[[Hostdev], None]] = {
    "usb": _check_usb_hostdev,
    "scsi": _check_scsi_hostdev,
    "scsi_host": _check_scsi_host,
    "mdev": _check_mdev,
}
