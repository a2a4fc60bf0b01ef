"""Consoles."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from qcaps.domain.codec import Element, Name
from qcaps.domain.device import Device
from qcaps.domain.devices.characters import ChardevLog, ChardevProtocol, ChardevSource, ChardevType
from qcaps.domain.syntax import U32


class ConsoleTarget(Element):
    """The guest's end of a console."""

    TAG: ClassVar[str] = "target"
    type: Literal["none", "serial", "xen", "uml", "virtio", "lxc", "openvz", "sclp", "sclplm"] | None = None
    port: U32 | None = None


class Console(Device):
    """A console; the first one often is the first serial port seen again."""

    TAG: ClassVar[str] = "console"
    type: ChardevType = "pty"
    tty: str | None = None
    source: ChardevSource | None = None
    second_source: Annotated[ChardevSource, Name("source")] | None = None
    protocol: ChardevProtocol | None = None
    log: ChardevLog | None = None
    target: ConsoleTarget | None = None
