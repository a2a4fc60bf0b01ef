"""Options that only virtio devices have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcaps.rules.shared.refuse import unsupported

if TYPE_CHECKING:
    from qcaps.domainxml.codec import Element

VIRTIO_MODELS = frozenset({"virtio", "virtio-transitional", "virtio-non-transitional"})

_OPTIONS = ("iommu", "ats", "packed", "page_per_vq")


def check_no_virtio_options(driver: Element | None, device: Element) -> None:
    """Refuses iommu, ats, packed and page_per_vq in the `<driver>` of a device that is not virtio.

    Follows: virDomainCheckVirtioOptionsAreAbsent
    """
    if driver is None:
        return
    values = driver.__dict__  # holds only what was set
    if values.keys().isdisjoint(_OPTIONS):
        return
    for name in _OPTIONS:
        if values.get(name) is not None:
            raise unsupported(f"{name} is for virtio devices", device)
