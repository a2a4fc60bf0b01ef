"""Which kind of PCI connection each device has; 0 for none.

A virtio device follows the root bus: Express on pcie-root, where QEMU can place it so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcaps.rules import orders

if TYPE_CHECKING:
    from qcaps.domainxml.device import Device
    from qcaps.rules.shared.pci import Ways

_RULES = {kind.device: kind.pci.flags for kind in orders.WRITTEN if kind.pci is not None}


def connection(device: Device, way: Ways) -> int:
    """The flags of one device.

    Follows: qemuDomainDeviceCalculatePCIConnectFlags
    """
    rule = _RULES.get(type(device))
    return 0 if rule is None else rule(device, way)
