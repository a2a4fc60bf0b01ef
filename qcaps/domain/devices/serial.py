"""Serial ports."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from qcaps.domain.codec import Element, Name
from qcaps.domain.device import Device
from qcaps.domain.devices.characters import ChardevLog, ChardevProtocol, ChardevSource, ChardevType
from qcaps.domain.syntax import U32


class SerialTargetModel(Element):
    """The device QEMU emulates."""

    TAG: ClassVar[str] = "model"
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
    port: U32 | None = None
    model: SerialTargetModel | None = None


class Serial(Device):
    """A serial port."""

    TAG: ClassVar[str] = "serial"
    type: ChardevType = "pty"
    source: ChardevSource | None = None
    second_source: Annotated[ChardevSource, Name("source")] | None = None  # of UDP: the other direction
    protocol: ChardevProtocol | None = None
    log: ChardevLog | None = None
    target: SerialTarget | None = None
