"""`<hostdev>`: the record of its kind, and which devices are on PCI."""

from __future__ import annotations

from qcaps.domainxml.devices import Hostdev
from qcaps.rules.devices.hostdev.complete import complete, read
from qcaps.rules.devices.hostdev.refuse import refuse, refuse_by_qemu
from qcaps.rules.devices.hostdev.refuse_read import refuse_read
from qcaps.rules.kind import Kind, Pci
from qcaps.rules.shared.alias import by_count
from qcaps.rules.shared.pci import VIRTIO_WAYS, Ways, by_model


def _flags(device: Hostdev, way: Ways) -> int:
    """The host is not asked whether a PCI device is Express; libvirt takes one it does not find for that.

    Follows: qemuDomainDeviceCalculatePCIConnectFlags
    """
    if device.mode != "subsystem":
        return 0
    if device.type == "scsi_host":
        return by_model(VIRTIO_WAYS, device.model, way)
    return way.pcie if device.type in ("pci", "mdev") else 0


# Follows: qemuDomainAssignDevicePCISlots
def _wants(device: Hostdev) -> bool:
    return device.mode == "subsystem" and (
        device.type in ("pci", "scsi_host") or (device.type == "mdev" and device.model == "vfio-pci")
    )


HOSTDEV = Kind(
    Hostdev,
    refuse_read=refuse_read,
    read=read,
    complete=complete,
    refuse=refuse,
    refuse_by_qemu=refuse_by_qemu,
    pci=Pci(flags=_flags, wants=_wants),
    on_virtio_bus=lambda hostdev: hostdev.mode == "subsystem" and hostdev.type == "scsi_host",
    alias=by_count("hostdev"),
    identity=lambda hostdev: hostdev.source,
    boots=True,
    has_rom=True,
)
