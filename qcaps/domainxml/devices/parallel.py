"""Parallel ports."""

from __future__ import annotations

from typing import Annotated, ClassVar

from qcaps.domainxml.codec import Element, Name
from qcaps.domainxml.device import Device
from qcaps.domainxml.devices.characters import (
    CHARACTER_PORT,
    ChardevLog,
    ChardevProtocol,
    ChardevSource,
    ChardevType,
)


class ParallelTarget(Element):
    """The guest's end of a parallel port."""

    TAG: ClassVar[str] = "target"
    type: str | None = None
    port: CHARACTER_PORT | None = None


class Parallel(Device):
    """A parallel port."""

    TAG: ClassVar[str] = "parallel"
    ONCE: ClassVar[frozenset[str]] = frozenset({"source", "protocol", "log"})
    type: ChardevType = "pty"
    source: ChardevSource | None = None
    second_source: Annotated[ChardevSource, Name("source")] | None = None
    protocol: ChardevProtocol | None = None
    log: ChardevLog | None = None
    target: ParallelTarget | None = None
