"""The name of a virtio device, which depends on its bus, and the options all of them have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qcaps.domainxml.address import CcwAddress, PciAddress, VirtioMmioAddress
from qcaps.rules.refusal import Refused

if TYPE_CHECKING:
    from qcaps.domainxml.device import Device
    from qcaps.domainxml.devices.virtio import VirtioDriver
    from qcaps.rules.start.argument import Properties
    from qcaps.rules.start.launch import Launch

_SUFFIXES: Final[dict[type, str]] = {PciAddress: "pci", VirtioMmioAddress: "device", CcwAddress: "ccw"}


def virtio(
    launch: Launch,
    device: Device,
    base: str,
    *,
    driver: VirtioDriver | None = None,
    model: str | None = None,
    has_suffix: bool = True,
) -> Properties:
    """`driver` and the ring options; `base` is the name without its bus, as in virtio-blk.

    Follows: qemuBuildVirtioDevProps
    """
    suffix = _SUFFIXES.get(type(device.address))
    if suffix is None:
        raise Refused(f"{base} has no address on PCI, CCW or memory", device)
    properties: Properties = {
        "driver": (f"{base}-{suffix}" if has_suffix else base) + _generation(launch, device, model)
    }
    if driver is None:
        return properties
    return {
        **properties,
        "iommu_platform": driver.iommu,
        "ats": driver.ats,
        "packed": driver.packed,
        "page-per-vq": driver.page_per_vq,
    }


def _generation(launch: Launch, device: Device, model: str | None) -> str:
    """A device of both generations or of the new one alone, where QEMU has such names.

    Follows: qemuBuildVirtioDevGetConfig
    """
    named = "virtio-pci-non-transitional" in launch.capabilities
    if model == "virtio-transitional":
        return "-transitional" if named else ""  # an old QEMU's device on a plain PCI bus is the same
    if model == "virtio-non-transitional":
        if not named:
            raise Refused("this QEMU has no virtio-non-transitional", device)
        return "-non-transitional"
    return ""
