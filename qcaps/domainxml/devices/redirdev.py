"""Ports for USB devices that a client hands to the guest."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from qcaps.domainxml.codec import Name
from qcaps.domainxml.device import Device
from qcaps.domainxml.devices.characters import ChardevLog, ChardevProtocol, ChardevSource, ChardevType


class Redirdev(Device):
    """A port for one device of a client."""

    TAG: ClassVar[str] = "redirdev"
    UNREAD: ClassVar[frozenset[str]] = frozenset({"rom"})
    ONCE: ClassVar[frozenset[str]] = frozenset({"source", "protocol", "log"})
    bus: Literal["usb"] = "usb"
    type: ChardevType
    source: ChardevSource | None = None
    second_source: Annotated[ChardevSource, Name("source")] | None = None
    protocol: ChardevProtocol | None = None
    log: ChardevLog | None = None
