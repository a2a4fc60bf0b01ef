"""`<graphics>`: ports and listeners, which can be said in several ways."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qcaps.domainxml.codec import evolve
from qcaps.domainxml.devices.graphics import GraphicsListen

if TYPE_CHECKING:
    from collections.abc import Callable

    from qcaps.domainxml.devices import Graphics
    from qcaps.domainxml.domain import Domain


_AUTO: Final = -1


LIBVIRT_FOLDER: Final = "/var/lib/libvirt/qemu"
"""Where old releases made sockets for VNC, whose paths they stored."""


_NO_SOCKET: Final = GraphicsListen(type="address")


_NOWHERE: Final[dict[str, Any]] = {
    "port": None, "tls_port": None, "autoport": None, "websocket": None, "listen": None, "socket": None,
}  # fmt: skip


def read(_domain: Domain, graphics: Graphics) -> Graphics:
    """Ports and listeners as libvirt writes them; old and new ways to say where to listen agree.

    Follows: virDomainGraphicsDefParseXML, virDomainGraphicsDefFormat
    """
    if graphics.passwd is None and (graphics.passwd_valid_to is not None or graphics.connected is not None):
        graphics = evolve(graphics, passwd_valid_to=None, connected=None)
    shape = _SHAPES.get(graphics.type)
    return graphics if shape is None else shape(graphics)


# Follows: virDomainGraphicsDefParseXMLVNC
def _vnc(graphics: Graphics) -> Graphics:
    listens = _listens(graphics)
    auto = graphics.port in (None, _AUTO) if graphics.autoport is None else graphics.autoport
    port = 0 if auto or graphics.port in (None, _AUTO) else graphics.port
    first = listens[0]
    changes: dict[str, Any] = dict(_NOWHERE)
    if first.type == "socket":
        changes["socket"] = first.socket
    elif first.type in ("address", "network"):
        changes["port"] = port or (_AUTO if auto else None)
        changes["autoport"] = auto
        changes["websocket"] = graphics.websocket or None
        changes["listen"] = first.address if first.type == "address" else None
    if graphics.share_policy == "default":
        changes["share_policy"] = None
    return evolve(graphics, listens=listens, **changes)


# Follows: virDomainGraphicsDefParseXMLSpice, virDomainDefPostParseGraphics
def _spice(graphics: Graphics) -> Graphics:
    listens = _listens(graphics)
    port, tls_port = graphics.port or 0, graphics.tls_port or 0
    auto = bool(graphics.autoport) or (port == _AUTO and tls_port == _AUTO)
    if auto:
        port = tls_port = 0
    first = listens[0]
    if first.type == "address" and not (port or tls_port or auto):
        first = GraphicsListen(type="none")
        listens = (first, *listens[1:])
    changes: dict[str, Any] = dict(_NOWHERE)
    if first.type in ("address", "network"):
        changes["port"], changes["tls_port"] = port or None, tls_port or None
        changes["autoport"] = auto
        changes["listen"] = first.address if first.type == "address" else None
    if graphics.default_mode == "any":
        changes["default_mode"] = None
    channels = {one.name: one for one in graphics.channel}
    order = sorted(channels, key=_CHANNELS.index)
    changes["channel"] = tuple(channels[name] for name in order if channels[name].mode != "any")
    return evolve(graphics, listens=listens, **changes)


_CHANNELS: Final = ("main", "display", "inputs", "cursor", "playback", "record", "smartcard", "usbredir")


# Follows: virDomainGraphicsDefParseXMLRDP
def _rdp(graphics: Graphics) -> Graphics:
    listens = _listens(graphics)
    auto = graphics.port in (None, _AUTO) or bool(graphics.autoport)
    first = listens[0]
    return evolve(
        graphics,
        listens=listens,
        port=0 if auto else graphics.port,
        autoport=auto or None,
        replace_user=graphics.replace_user or None,
        multi_user=graphics.multi_user or None,
        listen=first.address if first.type == "address" else None,
    )


def _screen(graphics: Graphics) -> Graphics:
    if graphics.gl is not None and graphics.gl.rendernode is not None:
        graphics = evolve(graphics, gl=evolve(graphics.gl, rendernode=None))
    return graphics if graphics.fullscreen is not False else evolve(graphics, fullscreen=None)


# Follows: virDomainGraphicsDefParseXMLDBus
def _dbus(graphics: Graphics) -> Graphics:
    return graphics if graphics.p2p is not False else evolve(graphics, p2p=None)


# Follows: virDomainGraphicsDefParseXMLEGLHeadless
def _headless(graphics: Graphics) -> Graphics:
    gl = graphics.gl
    if gl is None:
        return graphics
    return evolve(graphics, gl=evolve(gl, enable=None) if gl.rendernode else None)


_SHAPES: Final[dict[str, Callable[[Graphics], Graphics]]] = {
    "vnc": _vnc,
    "spice": _spice,
    "rdp": _rdp,
    "sdl": _screen,
    "desktop": _screen,
    "dbus": _dbus,
    "egl-headless": _headless,
}


def _listens(graphics: Graphics) -> tuple[GraphicsListen, ...]:
    """The `<listen>` elements; the attributes of `<graphics>` make one where there is none.

    Follows: virDomainGraphicsListensParseXML
    """
    listens = [_listen(graphics, one, first=not place) for place, one in enumerate(graphics.listens)]
    if graphics.type == "vnc" and graphics.socket is not None:
        if not listens or listens[0].type in ("address", "network"):
            listens[:1] = [GraphicsListen(type="socket", socket=graphics.socket)]
    elif not listens:
        listens = [GraphicsListen(type="address", address=graphics.listen or None)]
    if graphics.type == "vnc":
        listens = [_NO_SOCKET if (one.socket or "").startswith(LIBVIRT_FOLDER) else one for one in listens]
    return tuple(listens)


def _listen(graphics: Graphics, listen: GraphicsListen, *, first: bool) -> GraphicsListen:
    """What counts for its type; the first may leave it to the attributes of `<graphics>`.

    Follows: virDomainGraphicsListenDefParseXML
    """
    address = listen.address if listen.address is not None or not first else graphics.listen
    socket = listen.socket if listen.socket is not None or not first else graphics.socket
    return evolve(
        listen,
        address=(address or None) if listen.type == "address" else None,
        network=(listen.network or None) if listen.type == "network" else None,
        socket=(socket or None) if listen.type == "socket" else None,
    )
