"""Channels between host and guest."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, ClassVar, Final, Literal

from qcaps.domainxml.codec import Element, Name
from qcaps.domainxml.device import Device
from qcaps.domainxml.devices.characters import ChardevLog, ChardevProtocol, ChardevSource, ChardevType
from qcaps.domainxml.element import Node, of_others
from qcaps.domainxml.syntax import U32

_OF_OTHER_TARGETS: Final = of_others(
    {"guestfwd": {"address", "port"}, "virtio": {"name"}, "xen": {"name"}, "none": set()}
)


class ChannelTarget(Element):
    """The guest's end of a channel."""

    TAG: ClassVar[str] = "target"
    type: Literal["none", "guestfwd", "virtio", "xen"] | None = None
    address: str | None = None
    port: U32 | None = None
    name: str | None = None

    @staticmethod
    def passed_over(node: Node) -> Collection[str]:
        """What targets of other types have (virDomainChrDefParseTargetXML)."""
        return _OF_OTHER_TARGETS.get(node.get("type", "none"), ())


class Channel(Device):
    """A private way between host and guest, as for an agent."""

    TAG: ClassVar[str] = "channel"
    ONCE: ClassVar[frozenset[str]] = frozenset({"source", "protocol", "log"})
    type: ChardevType = "pty"
    source: ChardevSource | None = None
    second_source: Annotated[ChardevSource, Name("source")] | None = None
    protocol: ChardevProtocol | None = None
    log: ChardevLog | None = None
    target: ChannelTarget | None = None
