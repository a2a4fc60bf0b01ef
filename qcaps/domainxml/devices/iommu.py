"""The IOMMU that the guest sees."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from qcaps.domainxml.codec import ON_OFF, Element, Newer
from qcaps.domainxml.device import Device
from qcaps.domainxml.syntax import U32
from qcaps.release import R11_3


class IommuDriver(Element):
    """What the IOMMU can do."""

    TAG: ClassVar[str] = "driver"
    intremap: Annotated[bool, ON_OFF] | None = None
    caching_mode: Annotated[bool, ON_OFF] | None = None
    eim: Annotated[bool, ON_OFF] | None = None
    iotlb: Annotated[bool, ON_OFF] | None = None
    aw_bits: U32 | None = None
    dma_translation: Annotated[bool, ON_OFF, Newer(R11_3)] | None = None


class Iommu(Device):
    """The IOMMU that the guest sees."""

    TAG: ClassVar[str] = "iommu"
    model: Literal["intel", "smmuv3", "virtio"]
    driver: IommuDriver | None = None
