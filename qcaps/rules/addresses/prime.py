"""Which virtio devices without an address take the bus of a machine that has one of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qcaps.rules import orders

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qcaps.rules.draft import Draft


def virtio_without_address(draft: Draft, *, ccw: bool) -> Iterator[tuple[list[Any], int]]:
    """The virtio devices without an address, as lists and indices; of more kinds for ccw.

    Follows: qemuDomainPrimeVirtioDeviceAddresses
    """
    for kind in orders.VIRTIO_CCW if ccw else orders.VIRTIO:
        is_virtio = kind.on_virtio_bus
        assert is_virtio is not None, kind
        devices: list[Any] = draft.of(kind.device)
        for index, device in enumerate(devices):
            if device.address is None and is_virtio(device):
                yield devices, index
