"""Driver options that every virtio device has."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from qcaps.domain.codec import ON_OFF, Element

VirtioModel = Literal["virtio", "virtio-transitional", "virtio-non-transitional"]
"""The models of a virtio device that has no other."""


class VirtioDriver(Element):
    """`<driver>` of a virtio device: what it tells the guest about its rings and the IOMMU."""

    TAG: ClassVar[str] = "driver"
    iommu: Annotated[bool, ON_OFF] | None = None
    ats: Annotated[bool, ON_OFF] | None = None
    packed: Annotated[bool, ON_OFF] | None = None
    page_per_vq: Annotated[bool, ON_OFF] | None = None
