"""Sources of random numbers."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from qcaps.domainxml.codec import TEXT, Element, Name
from qcaps.domainxml.device import Device
from qcaps.domainxml.devices.characters import ChardevLog, ChardevProtocol, ChardevSource, ChardevType
from qcaps.domainxml.devices.virtio import VirtioDriver, VirtioModel
from qcaps.domainxml.syntax import U32


class RngRate(Element):
    """At most so many bytes in a period, which is in milliseconds."""

    TAG: ClassVar[str] = "rate"
    MERGED: ClassVar[bool] = True
    XPATH: ClassVar[bool] = True
    bytes: U32 | None = None
    period: U32 | None = None


class RngBackend(Element):
    """Where the numbers come from: a file (its path is the text), a daemon (EGD), or QEMU itself."""

    TAG: ClassVar[str] = "backend"
    ONCE: ClassVar[frozenset[str]] = frozenset({"source", "protocol", "log"})
    model: Literal["random", "egd", "builtin"]
    type: ChardevType | None = None
    text: Annotated[str, TEXT] | None = None
    source: ChardevSource | None = None
    second_source: Annotated[ChardevSource, Name("source")] | None = None
    protocol: ChardevProtocol | None = None
    log: ChardevLog | None = None


class Rng(Device):
    """A source of random numbers."""

    TAG: ClassVar[str] = "rng"
    ONCE: ClassVar[frozenset[str]] = frozenset({"backend"})
    model: VirtioModel
    rate: RngRate | None = None
    backend: RngBackend
    driver: VirtioDriver | None = None
