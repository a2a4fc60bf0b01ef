"""The balloon, which takes memory back from the guest."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from qcaps.domainxml.codec import LAST, ON_OFF, Element, Name
from qcaps.domainxml.device import Device
from qcaps.domainxml.devices.virtio import VirtioDriver
from qcaps.domainxml.numbers import ANY_I32


class MemballoonStats(Element):
    """How often the guest reports, in seconds."""

    TAG: ClassVar[str] = "stats"
    period: ANY_I32 | None = None


class Memballoon(Device):
    """The balloon; model none keeps libvirt from adding one."""

    TAG: ClassVar[str] = "memballoon"
    model: Literal["virtio", "xen", "none", "virtio-transitional", "virtio-non-transitional"]
    autodeflate: Annotated[bool, ON_OFF] | None = None
    free_page_reporting: Annotated[bool, ON_OFF, Name("freePageReporting")] | None = None
    stats: MemballoonStats | None = None
    driver: Annotated[VirtioDriver, LAST] | None = None
