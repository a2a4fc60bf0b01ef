"""Parallel ports."""

from __future__ import annotations

from typing import Annotated, ClassVar

from qcaps.domain.codec import Element, Name
from qcaps.domain.device import Device
from qcaps.domain.devices.characters import ChardevLog, ChardevProtocol, ChardevSource, ChardevType
from qcaps.domain.syntax import U32


class ParallelTarget(Element):
    """The guest's end of a parallel port."""

    TAG: ClassVar[str] = "target"
    type: str | None = None
    port: U32 | None = None


class Parallel(Device):
    """A parallel port."""

    TAG: ClassVar[str] = "parallel"
    type: ChardevType = "pty"
    source: ChardevSource | None = None
    second_source: Annotated[ChardevSource, Name("source")] | None = None
    protocol: ChardevProtocol | None = None
    log: ChardevLog | None = None
    target: ParallelTarget | None = None
