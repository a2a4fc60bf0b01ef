"""What a character device is connected to: a serial or parallel port, a console, a channel and their like."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from qcaps.domainxml.codec import ON_OFF, Element, Read
from qcaps.domainxml.devices.on_host import SourceReconnect, SourceSeclabel
from qcaps.domainxml.syntax import signed, wrapped_32


def _port(text: str) -> int | None:
    """The number as C's int; -1 stands for the next free one."""
    number = signed(wrapped_32(text))
    return None if number == -1 else number


CHARACTER_PORT = Annotated[int, Read(_port)]

ChardevType = Literal[
    "null", "vc", "pty", "dev", "file", "pipe", "stdio", "udp", "tcp",
    "unix", "spicevmc", "spiceport", "nmdm", "qemu-vdagent", "dbus",
]  # fmt: skip


class ChardevSourceClipboard(Element):
    """Whether the clipboard is shared with the client."""

    TAG: ClassVar[str] = "clipboard"
    copypaste: bool


class ChardevSourceMouse(Element):
    """Whether the client draws the pointer."""

    TAG: ClassVar[str] = "mouse"
    mode: Literal["server", "client"]


class ChardevSource(Element):
    """The host's end; which attributes count depends on the type of the device."""

    TAG: ClassVar[str] = "source"
    mode: Literal["connect", "bind"] | None = None
    path: str | None = None
    append: Annotated[bool, ON_OFF] | None = None
    host: str | None = None
    service: str | None = None
    tls: bool | None = None
    channel: str | None = None
    master: str | None = None
    slave: str | None = None
    clipboard: ChardevSourceClipboard | None = None
    mouse: ChardevSourceMouse | None = None
    seclabel: tuple[SourceSeclabel, ...] = ()
    reconnect: SourceReconnect | None = None


class ChardevProtocol(Element):
    """What is spoken over TCP."""

    TAG: ClassVar[str] = "protocol"
    type: str | None = None


class ChardevLog(Element):
    """A file that takes a copy of the output."""

    TAG: ClassVar[str] = "log"
    file: str | None = None
    append: Annotated[bool, ON_OFF] | None = None
