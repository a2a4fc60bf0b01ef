"""`<graphics>`: `-vnc`, `-spice` and `-display`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qcaps.domainxml.devices import Graphics
from qcaps.rules.refusal import Refused
from qcaps.rules.shared.audio import audio_name
from qcaps.rules.start import paths
from qcaps.rules.start.argument import escaped, on_off

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from qcaps.domainxml.devices.graphics import GraphicsListen
    from qcaps.rules.start.launch import Launch


_FIRST_PORT: Final = 5900


_LAST_PORT: Final = 65535


_CHANNELS: Final = ("main", "display", "inputs", "cursor", "playback", "record", "smartcard", "usbredir")


_MOUSE: Final = {"server": "off", "client": "on"}


def no_display(launch: Launch) -> Iterator[str]:
    """`-display none` where there is no display."""
    if not launch.of(Graphics):
        yield from ("-display", "none")


def graphics(launch: Launch) -> Iterator[str]:
    """Every display; of each type there may be one.

    Follows: qemuBuildGraphicsCommandLine
    """
    seen: set[str] = set()
    for display in launch.of(Graphics):
        make = _TYPES.get(display.type)
        if make is None:
            raise Refused(f"QEMU has no display of type '{display.type}'", display)
        if display.type in seen:
            raise Refused(f"there may be one display of type '{display.type}'", display)
        seen.add(display.type)
        yield from make(launch, display)


def _listen(display: Graphics) -> tuple[str, str | None, str | None]:
    """How it listens, the address, the socket."""
    if display.listens:
        first: GraphicsListen = display.listens[0]
        return first.type, first.address, first.socket
    if display.socket:
        return "socket", None, display.socket
    return "address", display.listen, None


def _automatic(display: Graphics) -> bool:
    return display.autoport is True or display.port in (None, -1, 0)


# Follows: qemuBuildGraphicsVNCCommandLine
def _vnc(launch: Launch, display: Graphics) -> Iterator[str]:
    kind, address, socket = _listen(display)
    if kind == "socket":
        words = [f"vnc=unix:{escaped(socket or paths.own(launch.domain, 'vnc.sock'))}"]
    elif kind == "none":
        words = ["none"]
    else:
        port = _FIRST_PORT if _automatic(display) else display.port or 0
        if not _FIRST_PORT <= port <= _LAST_PORT:
            raise Refused(f"VNC listens on a port from {_FIRST_PORT} to {_LAST_PORT}", display)
        host = address or "127.0.0.1"  # what qemu.conf says where the domain does not
        words = [f"{f'[{host}]' if ':' in host else host}:{port - _FIRST_PORT}"]
        if display.websocket:
            words.append(f"websocket={5700 if display.websocket == -1 else display.websocket}")
    if display.share_policy and display.share_policy != "default":
        words.append(f"share={display.share_policy}")
    if display.passwd is not None:
        words.append("password=on")
    if display.power_control is not None:
        words.append(f"power-control={on_off(state=display.power_control)}")
    words.append(f"audiodev={audio_name(launch, display.audio.id if display.audio else None, display)}")
    yield from ("-vnc", ",".join(words))
    if display.keymap:
        yield from ("-k", display.keymap)


# Follows: qemuBuildGraphicsSPICECommandLine
def _spice(launch: Launch, display: Graphics) -> Iterator[str]:
    words = [*_spice_place(launch, display)]
    secure = any(word.startswith("tls-port=") for word in words)
    plain = any(word.startswith(("unix", "port=")) for word in words)
    if display.mouse:
        words.append(f"agent-mouse={_MOUSE[display.mouse.mode]}")
    if display.passwd is None:
        words.append("disable-ticketing=on")
    if secure:
        words.append("x509-dir=/etc/pki/libvirt-spice")
    modes = {channel.name: channel.mode for channel in display.channel}
    for name, mode in (("default", display.default_mode), *((name, modes.get(name)) for name in _CHANNELS)):
        if mode == "secure" and not secure:
            raise Refused(f"SPICE channel '{name}' is to be secure, but there is no TLS port", display)
        if mode == "insecure" and not plain:
            raise Refused(f"SPICE channel '{name}' is to be insecure, but there is no plain port", display)
        if mode in ("secure", "insecure"):
            words.append(f"{'tls' if mode == 'secure' else 'plaintext'}-channel={name}")
    words += _spice_options(display)
    words.append("seamless-migration=on")
    yield from ("-spice", ",".join(words))
    if display.keymap:
        yield from ("-k", display.keymap)


def _spice_place(launch: Launch, display: Graphics) -> Iterator[str]:
    kind, address, socket = _listen(display)
    if kind == "socket":
        yield "unix"
        yield f"addr={escaped(socket or paths.own(launch.domain, 'spice.sock'))}"
    elif kind == "none":
        yield "port=0"
    else:
        automatic = display.autoport is True
        wants_tls = display.default_mode == "secure" or any(one.mode == "secure" for one in display.channel)
        port = (
            _FIRST_PORT
            if (automatic and display.default_mode != "secure") or display.port == -1
            else display.port
        )
        tls = _FIRST_PORT + 1 if (automatic and wants_tls) or display.tls_port == -1 else display.tls_port
        if port:
            yield f"port={port}"
        if tls:
            yield f"tls-port={tls}"
        if port or tls:
            yield f"addr={address or '127.0.0.1'}"


# Follows: qemuBuildGraphicsSPICECommandLine
def _spice_options(display: Graphics) -> Iterator[str]:
    if display.image:
        yield f"image-compression={display.image.compression}"
    if display.jpeg:
        yield f"jpeg-wan-compression={display.jpeg.compression}"
    if display.zlib:
        yield f"zlib-glz-wan-compression={display.zlib.compression}"
    if display.playback:
        yield f"playback-compression={on_off(state=display.playback.compression)}"
    if display.streaming:
        yield f"streaming-video={display.streaming.mode}"
    if display.clipboard and not display.clipboard.copypaste:
        yield "disable-copy-paste=on"
    if display.filetransfer and not display.filetransfer.enable:
        yield "disable-agent-file-xfer=on"
    if display.gl and display.gl.enable:
        yield "gl=on"
        if display.gl.rendernode:
            yield f"rendernode={escaped(display.gl.rendernode)}"


# Follows: qemuBuildGraphicsSDLCommandLine
def _sdl(_launch: Launch, display: Graphics) -> Iterator[str]:
    if display.fullscreen:
        yield "-full-screen"
    enabled = display.gl.enable if display.gl else None
    yield from ("-display", "sdl" if enabled is None else f"sdl,gl={on_off(state=enabled)}")


# Follows: qemuBuildGraphicsEGLHeadlessCommandLine
def _headless(_launch: Launch, display: Graphics) -> Iterator[str]:
    node = display.gl.rendernode if display.gl else None
    yield from ("-display", f"egl-headless,rendernode={escaped(node)}" if node else "egl-headless")


# Follows: qemuBuildGraphicsDBusCommandLine
def _dbus(launch: Launch, display: Graphics) -> Iterator[str]:
    words = ["dbus"]
    if display.p2p:
        words.append("p2p=on")
    else:
        bus = f"unix:path=/run/libvirt/qemu/dbus/{paths.short_name(launch.domain)}-dbus.sock"
        words.append(f"addr={escaped(display.dbus_address or bus)}")
    if display.gl and display.gl.enable is not None:
        words.append(f"gl={on_off(state=display.gl.enable)}")
    if display.gl and display.gl.rendernode:
        words.append(f"rendernode={escaped(display.gl.rendernode)}")
    if display.audio:
        words.append(f"audiodev={audio_name(launch, display.audio.id, display)}")
    yield from ("-display", ",".join(words))


_TYPES: dict[str, Callable[[Launch, Graphics], Iterator[str]]] = {
    "vnc": _vnc,
    "spice": _spice,
    "sdl": _sdl,
    "egl-headless": _headless,
    "dbus": _dbus,
}
