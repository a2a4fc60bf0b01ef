"""Sockets between host and guest."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from qcaps.domainxml.codec import LAST, Element
from qcaps.domainxml.device import Device
from qcaps.domainxml.devices.virtio import VirtioDriver, VirtioModel
from qcaps.domainxml.syntax import POSITIVE


class VsockCid(Element):
    """The guest's number, chosen by libvirt (auto) or given."""

    TAG: ClassVar[str] = "cid"
    auto: bool | None = None
    address: POSITIVE | None = None


class Vsock(Device):
    """Sockets between host and guest."""

    TAG: ClassVar[str] = "vsock"
    model: Literal["default", VirtioModel] | None = None
    cid: VsockCid | None = None
    driver: Annotated[VirtioDriver, LAST] | None = None
