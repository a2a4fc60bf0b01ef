"""Serial ports."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from qcaps.domainxml.codec import Element, Name
from qcaps.domainxml.device import Device
from qcaps.domainxml.devices.characters import (
    CHARACTER_PORT,
    ChardevLog,
    ChardevProtocol,
    ChardevSource,
    ChardevType,
)


class SerialTargetModel(Element):
    """The device QEMU emulates."""

    TAG: ClassVar[str] = "model"
    MERGED: ClassVar[bool] = True
    XPATH: ClassVar[bool] = True
    name: (
        Literal[
            "none", "isa-serial", "usb-serial", "pci-serial", "spapr-vty", "pl011", "sclpconsole",
            "sclplmconsole", "16550a", "isa-debugcon",
        ]
        | None
    ) = None  # fmt: skip


class SerialTarget(Element):
    """The guest's end of a serial port."""

    TAG: ClassVar[str] = "target"
    type: (
        Literal[
            "none", "isa-serial", "usb-serial", "pci-serial", "spapr-vio-serial", "system-serial",
            "sclp-serial", "isa-debug",
        ]
        | None
    ) = None  # fmt: skip
    port: CHARACTER_PORT | None = None
    model: SerialTargetModel | None = None


class Serial(Device):
    """A serial port."""

    TAG: ClassVar[str] = "serial"
    ONCE: ClassVar[frozenset[str]] = frozenset({"source", "protocol", "log"})
    type: ChardevType = "pty"
    source: ChardevSource | None = None
    second_source: Annotated[ChardevSource, Name("source")] | None = None  # of UDP: the other direction
    protocol: ChardevProtocol | None = None
    log: ChardevLog | None = None
    target: SerialTarget | None = None
