"""Smartcards."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from qcaps.domainxml.codec import CHILD, TEXT, Element, Name
from qcaps.domainxml.device import Device
from qcaps.domainxml.devices.characters import ChardevLog, ChardevProtocol, ChardevSource, ChardevType


class SmartcardCertificate(Element):
    """The name of a certificate; a card of the host's certificates has three."""

    TAG: ClassVar[str] = "certificate"
    text: Annotated[str, TEXT] | None = None


class Smartcard(Device):
    """A smartcard of the host, of a client, or made from certificates."""

    TAG: ClassVar[str] = "smartcard"
    ONCE: ClassVar[frozenset[str]] = frozenset({"source", "protocol", "log"})
    mode: Literal["host", "host-certificates", "passthrough"]
    type: ChardevType | None = None
    certificate: tuple[SmartcardCertificate, ...] = ()
    database: Annotated[str, CHILD] | None = None
    source: ChardevSource | None = None
    second_source: Annotated[ChardevSource, Name("source")] | None = None
    protocol: ChardevProtocol | None = None
    log: ChardevLog | None = None
