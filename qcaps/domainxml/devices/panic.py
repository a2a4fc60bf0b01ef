"""Devices through which a guest tells that it has crashed."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from qcaps.domainxml.codec import Newer
from qcaps.domainxml.device import Device
from qcaps.release import R11_3


class Panic(Device):
    """Tells the host that the guest has crashed."""

    TAG: ClassVar[str] = "panic"
    model: (
        Annotated[
            Literal["default", "isa", "pseries", "hyperv", "s390", "pvpanic"], Newer(R11_3, ("pvpanic",))
        ]
        | None
    ) = None
