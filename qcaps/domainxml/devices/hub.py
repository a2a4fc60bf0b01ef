"""USB hubs."""

from __future__ import annotations

from typing import ClassVar, Literal

from qcaps.domainxml.device import Device


class Hub(Device):
    """A USB hub."""

    TAG: ClassVar[str] = "hub"
    type: Literal["usb"]
