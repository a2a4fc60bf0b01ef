"""Watchdogs."""

from __future__ import annotations

from typing import ClassVar, Literal

from qcaps.domain.device import Device


class Watchdog(Device):
    """What acts when the guest stops answering."""

    TAG: ClassVar[str] = "watchdog"
    model: Literal["i6300esb", "ib700", "diag288"]
    action: Literal["reset", "shutdown", "poweroff", "pause", "dump", "none", "inject-nmi"] | None = None
