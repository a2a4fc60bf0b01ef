"""The non-volatile memory of a pseries guest."""

from __future__ import annotations

from typing import ClassVar

from qcaps.domainxml.device import Device


class Nvram(Device):
    """The non-volatile memory of a pseries guest."""

    TAG: ClassVar[str] = "nvram"
