"""Devices through which a guest tells that it has crashed."""

from __future__ import annotations

from typing import ClassVar, Literal

from qcaps.domain.device import Device


class Panic(Device):
    """Tells the host that the guest has crashed."""

    TAG: ClassVar[str] = "panic"
    model: Literal["default", "isa", "pseries", "hyperv", "s390"] | None = None
