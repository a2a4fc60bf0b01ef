"""The non-volatile memory of a pseries guest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from qcaps.domain.device import Device


@dataclass(frozen=True, kw_only=True)
class Nvram(Device):
    """The non-volatile memory of a pseries guest."""

    TAG: ClassVar[str] = "nvram"
