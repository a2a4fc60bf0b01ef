"""`<disk>`: the record of its kind; its alias, and when it is on PCI."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcaps.domainxml.address import DriveAddress
from qcaps.domainxml.devices import Disk
from qcaps.rules.devices.disk.complete import complete
from qcaps.rules.devices.disk.parsed import read
from qcaps.rules.devices.disk.refuse import refuse
from qcaps.rules.devices.disk.refuse_by_qemu import refuse_by_qemu
from qcaps.rules.devices.disk.refuse_read import refuse_read
from qcaps.rules.kind import Kind, Pci
from qcaps.rules.shared.names import disk_number
from qcaps.rules.shared.pci import VIRTIO_WAYS, Ways, by_model

if TYPE_CHECKING:
    from collections import Counter

    from qcaps.rules.shared.alias import Surroundings


# Follows: qemuDomainAssignDevicePCISlots
def _is_virtio(disk: Disk) -> bool:
    return disk.target is not None and disk.target.bus == "virtio"


# Follows: qemuDomainDeviceCalculatePCIConnectFlags
def _flags(disk: Disk, way: Ways) -> int:
    return by_model(VIRTIO_WAYS, disk.model, way) if _is_virtio(disk) else 0


# Follows: qemuAssignDeviceDiskAlias
def _alias(given: Surroundings, disk: Disk, _counted: Counter[str], _place: int) -> str:
    bus = disk.target.bus if disk.target else None
    at = disk.address
    if not isinstance(at, DriveAddress):
        return f"{bus}-disk{disk_number(disk.target.dev or '') if disk.target else 0}"
    head = f"{bus}{at.controller or 0}-{at.bus or 0}"
    if bus != "scsi" or (at.controller or 0) in given.lsi:
        return f"{head}-{at.unit or 0}"
    return f"{head}-{at.target or 0}-{at.unit or 0}"


DISK = Kind(
    Disk,
    refuse_read=refuse_read,
    read=read,
    complete=complete,
    refuse=refuse,
    refuse_by_qemu=refuse_by_qemu,
    pci=Pci(flags=_flags, wants=_is_virtio),
    on_virtio_bus=_is_virtio,
    alias=_alias,
    identity=lambda disk: disk.target and disk.target.dev,
    boots=True,
)
