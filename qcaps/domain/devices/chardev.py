"""Character devices: serial and parallel ports, consoles and channels; and what they are connected to."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from qcaps.domain.codec import ON_OFF, Element, Name
from qcaps.domain.device import Device
from qcaps.domain.devices.host import SourceReconnect, SourceSeclabel
from qcaps.domain.syntax import U32

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
    type: Literal["raw", "telnet", "telnets", "tls"] | None = None


class ChardevLog(Element):
    """A file that takes a copy of the output."""

    TAG: ClassVar[str] = "log"
    file: str | None = None
    append: Annotated[bool, ON_OFF] | None = None


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


class ParallelTarget(Element):
    """The guest's end of a parallel port."""

    TAG: ClassVar[str] = "target"
    type: str | None = None
    port: U32 | None = None


class ConsoleTarget(Element):
    """The guest's end of a console."""

    TAG: ClassVar[str] = "target"
    type: Literal["none", "serial", "xen", "uml", "virtio", "lxc", "openvz", "sclp", "sclplm"] | None = None
    port: U32 | None = None


class ChannelTarget(Element):
    """The guest's end of a channel."""

    TAG: ClassVar[str] = "target"
    type: Literal["none", "guestfwd", "virtio", "xen"] | None = None
    address: str | None = None
    port: U32 | None = None
    name: str | None = None
    state: Literal["connected", "disconnected"] | None = None


class Serial(Device):
    """A serial port."""

    TAG: ClassVar[str] = "serial"
    type: ChardevType = "pty"
    source: ChardevSource | None = None
    second_source: Annotated[ChardevSource, Name("source")] | None = None  # of UDP: the other direction
    protocol: ChardevProtocol | None = None
    log: ChardevLog | None = None
    target: SerialTarget | None = None


class Parallel(Device):
    """A parallel port."""

    TAG: ClassVar[str] = "parallel"
    type: ChardevType = "pty"
    source: ChardevSource | None = None
    second_source: Annotated[ChardevSource, Name("source")] | None = None
    protocol: ChardevProtocol | None = None
    log: ChardevLog | None = None
    target: ParallelTarget | None = None


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


class Channel(Device):
    """A private way between host and guest, as for an agent."""

    TAG: ClassVar[str] = "channel"
    type: ChardevType = "pty"
    source: ChardevSource | None = None
    second_source: Annotated[ChardevSource, Name("source")] | None = None
    protocol: ChardevProtocol | None = None
    log: ChardevLog | None = None
    target: ChannelTarget | None = None
