"""`<interface>`: the record of its kind; its alias, and how each model connects to PCI."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcaps.domainxml.devices import Interface
from qcaps.rules.devices.interface.complete import complete, read
from qcaps.rules.devices.interface.refuse import refuse, refuse_by_qemu
from qcaps.rules.devices.interface.refuse_read import refuse_read
from qcaps.rules.kind import Kind, Pci
from qcaps.rules.shared.alias import Surroundings, numbered
from qcaps.rules.shared.pci import PCI, PCIE, VIRTIO, Ways, hosts_pci

if TYPE_CHECKING:
    from collections import Counter

_VIRTIO_MODELS = ("virtio", "virtio-transitional", "virtio-non-transitional")
_ON_PCI = {
    "virtio": VIRTIO,
    "virtio-non-transitional": VIRTIO,
    "e1000e": PCIE,
} | dict.fromkeys(
    (
        "virtio-transitional", "netfront", "rtl8139", "e1000", "spapr-vlan", "lan9118", "scm91c111", "vlance",
        "vmxnet", "vmxnet2", "vmxnet3", "Am79C970A", "Am79C973", "82540EM", "82545EM", "82543GC",
    ),
    PCI,
)  # fmt: skip


# Follows: qemuDomainDeviceCalculatePCIConnectFlags
def _flags(nic: Interface, way: Ways) -> int:
    if nic.type == "hostdev":
        return way.pcie if hosts_pci(nic) else 0
    model = None if nic.model is None else nic.model.type
    if model == "usb-net":
        return 0
    # a model libvirt does not know is some device of the host, which will be Express
    return way[_ON_PCI.get(model or "", PCIE)]


# Follows: qemuAssignDeviceNetAlias
def _alias(_given: Surroundings, nic: Interface, counted: Counter[str], _place: int) -> str:
    return numbered("hostdev" if nic.type == "hostdev" else "net", counted)


INTERFACE = Kind(
    Interface,
    refuse_read=refuse_read,
    read=read,
    complete=complete,
    refuse=refuse,
    refuse_by_qemu=refuse_by_qemu,
    pci=Pci(flags=_flags, wants=lambda nic: nic.type != "hostdev" or hosts_pci(nic)),
    on_virtio_bus=lambda nic: nic.model is not None and nic.model.type in _VIRTIO_MODELS,
    alias=_alias,
    identity=lambda nic: nic.mac and nic.mac.address,
    boots=True,
    has_rom=True,
)
