"""USB hubs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from qcaps.domain.device import Device


@dataclass(frozen=True, kw_only=True)
class Hub(Device):
    """A USB hub."""

    TAG: ClassVar[str] = "hub"
    type: Literal["usb"]
