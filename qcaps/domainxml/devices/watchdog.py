"""Watchdogs."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from qcaps.domainxml.codec import Newer
from qcaps.domainxml.device import Device
from qcaps.release import R11_3


class Watchdog(Device):
    """What acts when the guest stops answering."""

    TAG: ClassVar[str] = "watchdog"
    model: Annotated[Literal["i6300esb", "ib700", "diag288", "itco"], Newer(R11_3, ("itco",))]
    action: Literal["reset", "shutdown", "poweroff", "pause", "dump", "none", "inject-nmi"] | None = None
