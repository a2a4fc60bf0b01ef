"""Consoles."""

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


class ConsoleTarget(Element):
    """The guest's end of a console."""

    TAG: ClassVar[str] = "target"
    type: Literal["none", "serial", "xen", "uml", "virtio", "lxc", "openvz", "sclp", "sclplm"] | None = None
    port: CHARACTER_PORT | None = None


class Console(Device):
    """A console; the first one often is the first serial port seen again."""

    TAG: ClassVar[str] = "console"
    ONCE: ClassVar[frozenset[str]] = frozenset({"source", "protocol", "log"})
    type: ChardevType = "pty"
    tty: str | None = None
    source: ChardevSource | None = None
    second_source: Annotated[ChardevSource, Name("source")] | None = None
    protocol: ChardevProtocol | None = None
    log: ChardevLog | None = None
    target: ConsoleTarget | None = None
