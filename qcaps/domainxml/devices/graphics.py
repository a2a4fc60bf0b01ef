"""Displays that a user outside the guest sees."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, ClassVar, Final, Literal

from qcaps.domainxml.codec import ON_OFF, Element, Name
from qcaps.domainxml.device import NO_INFO, Device
from qcaps.domainxml.devices.on_host import AudioId
from qcaps.domainxml.element import Node, of_others
from qcaps.domainxml.syntax import I32

SpiceMode = Literal["any", "secure", "insecure"]


class GraphicsListen(Element):
    """Where the server listens."""

    TAG: ClassVar[str] = "listen"
    type: Literal["none", "address", "network", "socket"]
    address: str | None = None
    network: str | None = None
    socket: str | None = None


class GraphicsChannel(Element):
    """Whether one channel of SPICE is encrypted."""

    TAG: ClassVar[str] = "channel"
    name: Literal["main", "display", "inputs", "cursor", "playback", "record", "smartcard", "usbredir"]
    mode: SpiceMode


class GraphicsImage(Element):
    """Compression of pictures."""

    TAG: ClassVar[str] = "image"
    compression: Literal["auto_glz", "auto_lz", "quic", "glz", "lz", "off"]


class GraphicsJpeg(Element):
    """Lossy compression on slow links."""

    TAG: ClassVar[str] = "jpeg"
    compression: Literal["auto", "never", "always"]


class GraphicsZlib(Element):
    """Compression on slow links."""

    TAG: ClassVar[str] = "zlib"
    compression: Literal["auto", "never", "always"]


class GraphicsPlayback(Element):
    """Compression of sound."""

    TAG: ClassVar[str] = "playback"
    compression: Annotated[bool, ON_OFF]


class GraphicsStreaming(Element):
    """Which moving pictures are sent as a stream."""

    TAG: ClassVar[str] = "streaming"
    mode: Literal["filter", "all", "off"]


class GraphicsMouse(Element):
    """Whether the client draws the pointer."""

    TAG: ClassVar[str] = "mouse"
    mode: Literal["server", "client"]


class GraphicsClipboard(Element):
    """Whether the clipboard is shared."""

    TAG: ClassVar[str] = "clipboard"
    copypaste: bool


class GraphicsFiletransfer(Element):
    """Whether files can be dropped into the guest."""

    TAG: ClassVar[str] = "filetransfer"
    enable: bool


class GraphicsGl(Element):
    """OpenGL, and the host's device that renders."""

    TAG: ClassVar[str] = "gl"
    enable: bool | None = None
    rendernode: str | None = None

    @staticmethod
    def passed_over(node: Node) -> Collection[str]:
        """Without a screen there is nothing but OpenGL (virDomainGraphicsDefParseXMLEGLHeadless)."""
        parent = node.getparent()
        return ("enable",) if parent is not None and parent.get("type") == "egl-headless" else ()


_LISTENING: Final = {"port", "autoport", "listen"}
_GUARDED: Final = _LISTENING | {"socket", "keymap", "passwd", "passwdValidTo", "connected"}
_OF_OTHERS: Final = of_others(
    {
        "vnc": _GUARDED | {"websocket", "sharePolicy", "powerControl", "audio"},
        "spice": _GUARDED
        | {
            "tlsPort", "defaultMode", "gl", "channel", "image", "jpeg", "zlib", "playback", "streaming",
            "mouse", "clipboard", "filetransfer",
        },
        "rdp": _LISTENING | {"socket", "replaceUser", "multiUser"},
        "sdl": {"display", "xauth", "fullscreen", "gl"},
        "desktop": {"display", "fullscreen"},
        "egl-headless": {"gl"},
        "dbus": {"p2p", "address", "gl", "audio"},
    }
)  # fmt: skip


class Graphics(Device):
    """A display; which attributes count depends on its type. Ports are -1 where libvirt picks one."""

    TAG: ClassVar[str] = "graphics"
    UNREAD: ClassVar[frozenset[str]] = NO_INFO
    type: Literal["sdl", "vnc", "rdp", "desktop", "spice", "egl-headless", "dbus"]
    socket: str | None = None
    port: I32 | None = None
    tls_port: Annotated[I32, Name("tlsPort")] | None = None
    autoport: bool | None = None
    replace_user: Annotated[bool, Name("replaceUser")] | None = None
    multi_user: Annotated[bool, Name("multiUser")] | None = None
    websocket: I32 | None = None
    listen: str | None = None
    keymap: str | None = None
    default_mode: Annotated[SpiceMode, Name("defaultMode")] | None = None
    share_policy: (
        Annotated[Literal["default", "allow-exclusive", "force-shared", "ignore"], Name("sharePolicy")] | None
    ) = None
    power_control: Annotated[bool, Name("powerControl")] | None = None
    passwd: str | None = None
    passwd_valid_to: Annotated[str, Name("passwdValidTo")] | None = None
    connected: str | None = None
    display: str | None = None
    xauth: str | None = None
    fullscreen: bool | None = None
    p2p: bool | None = None
    dbus_address: Annotated[str, Name("address")] | None = None
    gl: GraphicsGl | None = None
    audio: AudioId | None = None
    listens: tuple[GraphicsListen, ...] = ()
    channel: tuple[GraphicsChannel, ...] = ()
    image: GraphicsImage | None = None
    jpeg: GraphicsJpeg | None = None
    zlib: GraphicsZlib | None = None
    playback: GraphicsPlayback | None = None
    streaming: GraphicsStreaming | None = None
    mouse: GraphicsMouse | None = None
    clipboard: GraphicsClipboard | None = None
    filetransfer: GraphicsFiletransfer | None = None

    @staticmethod
    def passed_over(node: Node) -> Collection[str]:
        """What graphics of other types have; for VNC, too, a word that is no answer.

        virDomainGraphicsDefParseXMLVNC and its neighbours
        """
        kind = node.get("type", "")
        unread = _OF_OTHERS.get(kind, frozenset())
        no_answer = kind == "vnc" and node.get("autoport") not in ("yes", "no")
        return unread | {"autoport"} if no_answer else unread
