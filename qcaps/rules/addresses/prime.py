"""Which virtio devices without an address take the bus of a machine that has one of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qcaps.domain.devices import (
    Controller,
    Disk,
    Filesystem,
    Hostdev,
    Input,
    Interface,
    Memballoon,
    Memory,
    Rng,
    Video,
    Vsock,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from qcaps.domain.device import Device
    from qcaps.rules.draft import Draft

_VIRTIO_NICS = ("virtio", "virtio-transitional", "virtio-non-transitional")

_IS_VIRTIO: dict[type[Device], Callable[[Any], bool]] = {
    Disk: lambda device: device.target is not None and device.target.bus == "virtio",
    Interface: lambda device: device.model is not None and device.model.type in _VIRTIO_NICS,
    Video: lambda device: device.model is not None and device.model.type == "virtio",
    Input: lambda device: device.bus == "virtio",
    Controller: lambda device: device.type in ("virtio-serial", "scsi"),
    Hostdev: lambda device: device.mode == "subsystem" and device.type == "scsi_host",
    Memballoon: lambda device: device.model != "none",
    Rng: lambda _device: True,
    Memory: lambda device: device.model in ("virtio-pmem", "virtio-mem"),
}
_ALSO_CCW: dict[type[Device], Callable[[Any], bool]] = {
    Filesystem: lambda _device: True,
    Vsock: lambda _device: True,
}


def virtio_without_address(draft: Draft, *, ccw: bool) -> Iterator[tuple[list[Any], int]]:
    """The virtio devices without an address, as lists and indices; of more kinds for ccw."""
    for kind, is_virtio in (_IS_VIRTIO | _ALSO_CCW if ccw else _IS_VIRTIO).items():
        devices: list[Any] = draft.of(kind)
        for index, device in enumerate(devices):
            if device.address is None and is_virtio(device):
                yield devices, index
