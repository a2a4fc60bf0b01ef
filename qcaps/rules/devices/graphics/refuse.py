"""`<graphics>`: listeners that contradict each other, and what this QEMU cannot show."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from qcaps.release import R9_0, R12_8, since
from qcaps.rules.shared.refuse import internal, malformed, need, unsupported

if TYPE_CHECKING:
    from collections.abc import Callable

    from qcaps.capabilities.model import Capabilities
    from qcaps.domainxml import devices as d
    from qcaps.domainxml.devices import Graphics
    from qcaps.domainxml.devices.graphics import GraphicsListen
    from qcaps.release import Since
    from qcaps.rules.shared.guest import Guest


_VALID_TO = re.compile(r"(?:\s*[+-]?\d+-){2}\s*[+-]?\d+T(?:\s*[+-]?\d+:){2}\s*[+-]?\d+")


_CONNECTED: dict[str, tuple[str | None, ...]] = {
    "vnc": (None, "keep"),
    "spice": (None, "fail", "disconnect", "keep"),
}
"""What becomes of clients when the password changes."""


def refuse_read(graphics: d.Graphics) -> None:
    """Refuses listen elements that contradict their type or `<graphics>`, and bad terms of a password.

    Follows: virDomainGraphicsDefParseXML, virDomainGraphicsAuthDefParseXML
    """
    kind = graphics.type
    if kind in ("vnc", "spice", "rdp"):
        for position, listen in enumerate(graphics.listens):
            _check_listen(graphics, listen, first=position == 0)
    if kind in ("sdl", "spice", "dbus") and graphics.gl is not None and graphics.gl.enable is None:
        raise malformed("<gl> needs enable", graphics.gl)
    if kind not in ("vnc", "spice") or graphics.passwd is None:
        return
    if graphics.passwd_valid_to is not None and not _VALID_TO.fullmatch(graphics.passwd_valid_to):
        raise internal(f"'{graphics.passwd_valid_to}' is no time, as in 2010-11-28T14:29:01", graphics)
    if graphics.connected not in _CONNECTED[kind]:
        raise unsupported(f"{kind} has no connected='{graphics.connected}'", graphics)


# Follows: virDomainGraphicsListenDefParseXML
def _check_listen(graphics: d.Graphics, listen: GraphicsListen, *, first: bool) -> None:
    if listen.type in ("socket", "none") and graphics.type == "rdp":
        raise unsupported(f"rdp graphics cannot listen by '{listen.type}'", graphics)
    for name in ("network", "socket"):
        if getattr(listen, name) and listen.type != name:
            raise malformed(f"{name} does not go with a listen element of type '{listen.type}'", listen)
    if not first:
        return
    # the older attributes of <graphics> itself repeat the first element
    for old, new in (("listen", "address"), ("socket", "socket")):
        one, other = getattr(graphics, old), getattr(listen, new)
        if listen.type == new and None not in (one, other) and one != other:
            raise unsupported(f"{old} '{one}' is not that of the first listen element, '{other}'", graphics)


_GRAPHICS_FLAGS = {
    "sdl": "sdl",
    "vnc": "vnc",
    "spice": "spice",
    "egl-headless": "egl-headless",
    "dbus": "display-dbus",
}
"""The flag of each type that QEMU has."""


_WITH_EGL = frozenset({"egl-headless", "vnc", "spice"})


_LONGEST_VNC_PASSWORD = 8
_LISTENS_ONCE: Final[Since[bool]] = {R9_0: False, R12_8: True}
"""Whether a second `<listen>` is refused; before, it is passed over."""


def refuse(graphics: Graphics, guest: Guest) -> None:
    """What holds for a display under any hypervisor.

    Follows: virDomainGraphicsDefValidate, virDomainGraphicsDefListensValidate
    """
    if graphics.type in ("vnc", "spice", "rdp"):
        for listen in graphics.listens:
            if listen.type == "network" and listen.network is None:
                raise malformed("a listen element of type 'network' names none", graphics)
    if graphics.type == "vnc" and graphics.audio is not None:
        check_audio_id(graphics.audio.id, graphics, guest)
    if graphics.type == "dbus" and graphics.p2p and graphics.dbus_address is not None:
        raise malformed("a peer-to-peer D-Bus display has no address", graphics)


def check_audio_id(number: int | None, element: Graphics, guest: Guest) -> None:
    """Refuses a number that no `<audio>` has.

    Follows: virDomainEnsureAudioID
    """
    if number and number not in guest.audio_types:
        raise malformed(f"there is no <audio> with id {number}", element)


def refuse_by_qemu(graphics: Graphics, guest: Guest, caps: Capabilities) -> None:
    """What QEMU, this QEMU or this host cannot do with a display.

    Follows: qemuValidateDomainDeviceDefGraphics
    """
    kind = graphics.type
    if _GRAPHICS_FLAGS.get(kind) not in caps.flags:
        raise unsupported(f"this QEMU has no {kind} graphics", graphics)
    if len(graphics.listens) > 1 and since(_LISTENS_ONCE, guest.draft.release):
        raise unsupported("QEMU has no display that listens in several places", graphics.listens[1])
    if "egl-headless" in guest.graphics:
        if kind not in _WITH_EGL:
            raise unsupported(f"egl-headless graphics do not go with {kind}", graphics)
        if kind == "spice" and graphics.gl is not None and graphics.gl.enable:
            raise unsupported("QEMU has one OpenGL display: egl-headless, or spice with gl", graphics)
    if (check := _GRAPHICS.get(kind)) is not None:
        check(graphics, guest, caps)


# Follows: qemuValidateDomainDeviceDefSPICEGraphics
def _check_spice(graphics: Graphics, guest: Guest, caps: Capabilities) -> None:
    listens = graphics.listens
    if not listens:
        raise internal("a spice display listens nowhere", graphics)
    over_network = listens[0].type in ("address", "network")
    if over_network and (graphics.tls_port or 0) > 0 and not guest.host.spice_tls:
        raise unsupported("tlsPort is given, but TLS is off in qemu.conf (spice_tls)", graphics)
    if graphics.gl is not None and graphics.gl.enable:
        need(caps, "spice-gl", "gl of a spice display", graphics)
        if graphics.gl.rendernode is not None:
            need(caps, "spice-rendernode", "rendernode of a spice display", graphics)


def _check_egl(graphics: Graphics, _guest: Guest, caps: Capabilities) -> None:
    if graphics.gl is not None and graphics.gl.rendernode is not None:
        need(caps, "egl-headless.rendernode", "rendernode of egl-headless", graphics)


# Follows: qemuValidateDomainDeviceDefVNCGraphics
def _check_vnc(graphics: Graphics, _guest: Guest, caps: Capabilities) -> None:
    if graphics.power_control is not None:
        need(caps, "vnc-power-control", "powerControl", graphics)
    if graphics.passwd is not None and len(graphics.passwd.encode()) > _LONGEST_VNC_PASSWORD:
        raise unsupported(f"a VNC password has at most {_LONGEST_VNC_PASSWORD} characters", graphics)


# Follows: qemuValidateDomainDeviceDefDBusGraphics
def _check_dbus(graphics: Graphics, guest: Guest, _caps: Capabilities) -> None:
    if graphics.audio is not None and guest.audio_types.get(graphics.audio.id, "dbus") != "dbus":
        raise unsupported("the audio of a D-Bus display is of type 'dbus'", graphics)


_GRAPHICS: dict[str, Callable[[Graphics, Guest, Capabilities], None]] = {
    "spice": _check_spice,
    "egl-headless": _check_egl,
    "vnc": _check_vnc,
    "dbus": _check_dbus,
}
