"""Memory shared between guests."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from qcaps.domainxml.codec import ON_OFF, Element
from qcaps.domainxml.device import Device
from qcaps.domainxml.memory import Size
from qcaps.domainxml.numbers import ANY_U32


class ShmemModel(Element):
    """The device QEMU emulates."""

    TAG: ClassVar[str] = "model"
    type: Literal["ivshmem", "ivshmem-plain", "ivshmem-doorbell"] | None = None


class ShmemServer(Element):
    """The socket of the server that hands the memory out."""

    TAG: ClassVar[str] = "server"
    path: str | None = None


class ShmemMsi(Element):
    """Message-signalled interrupts."""

    TAG: ClassVar[str] = "msi"
    vectors: ANY_U32 | None = None
    ioeventfd: Annotated[bool, ON_OFF] | None = None


class Shmem(Device):
    """Memory that several guests share."""

    TAG: ClassVar[str] = "shmem"
    name: str
    role: Literal["master", "peer"] | None = None
    model: ShmemModel | None = None
    size: Size | None = None
    server: ShmemServer | None = None
    msi: ShmemMsi | None = None
