"""Driver options that every virtio device has."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from qcaps.domainxml.codec import ON_OFF, Element
from qcaps.domainxml.syntax import U32

VirtioModel = Literal["virtio", "virtio-transitional", "virtio-non-transitional"]
"""The models of a virtio device that has no other."""


class IothreadQueue(Element):
    """One queue of a device."""

    TAG: ClassVar[str] = "queue"
    id: U32


class DriverIothread(Element):
    """An I/O thread, and the queues that it serves."""

    TAG: ClassVar[str] = "iothread"
    id: U32
    queue: tuple[IothreadQueue, ...] = ()


class DriverIothreads(Element):
    """The I/O threads that share a device's queues."""

    TAG: ClassVar[str] = "iothreads"
    iothread: tuple[DriverIothread, ...] = ()


class VirtioDriver(Element):
    """`<driver>` of a virtio device: what it tells the guest about its rings and the IOMMU."""

    TAG: ClassVar[str] = "driver"
    iommu: Annotated[bool, ON_OFF] | None = None
    ats: Annotated[bool, ON_OFF] | None = None
    packed: Annotated[bool, ON_OFF] | None = None
    page_per_vq: Annotated[bool, ON_OFF] | None = None
