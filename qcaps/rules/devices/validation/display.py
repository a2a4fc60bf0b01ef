"""`<graphics>` and `<video>`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcaps.domain.devices import Video
from qcaps.rules.refusal import Refused
from qcaps.rules.shared.refuse import internal, malformed, need, unsupported
from qcaps.rules.shared.virtio import check_no_virtio_options

if TYPE_CHECKING:
    from collections.abc import Callable

    from qcaps.capabilities.model import Capabilities
    from qcaps.domain.devices import Graphics
    from qcaps.domain.devices.video import VideoModel
    from qcaps.rules.shared.guest import Guest

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

_VIDEO_FLAGS = {
    "vga": "VGA",
    "cirrus": "cirrus-vga",
    "vmvga": "vmware-svga",
    "qxl": "qxl",
    "virtio": "virtio-gpu",
    "bochs": "bochs-display",
    "ramfb": "ramfb",
}
"""The flag of each model that QEMU has."""

_SECONDARY = frozenset({"qxl", "virtio"})
_RESIZABLE = frozenset({"vga", "qxl", "virtio", "bochs"})
_VIRGL = frozenset({"virtio-gpu.virgl", "virtio-gpu-gl-pci", "virtio-vga-gl"})
_MOST_KIB = (2**32 - 1) // 1024
_LEAST_KIB = 1024


# ── graphics ───────────────────────────────────────────────────────────────────────────────────────


def check_graphics(graphics: Graphics, guest: Guest) -> None:
    """What holds for a display under any hypervisor."""
    if graphics.type in ("vnc", "spice", "rdp"):
        for listen in graphics.listens:
            if listen.type == "network" and listen.network is None:
                raise malformed("a listen element of type 'network' names none", graphics)
    if graphics.type == "vnc" and graphics.audio is not None:
        check_audio_id(graphics.audio.id, graphics, guest)
    if graphics.type == "dbus" and graphics.p2p and graphics.dbus_address is not None:
        raise malformed("a peer-to-peer D-Bus display has no address", graphics)


def check_audio_id(number: int | None, element: Graphics, guest: Guest) -> None:
    """Whether there is an `<audio>` of that number."""
    if number and number not in guest.audio_types:
        raise malformed(f"there is no <audio> with id {number}", element)


def check_qemu_graphics(graphics: Graphics, guest: Guest, caps: Capabilities) -> None:
    """What QEMU, this QEMU or this host cannot do with a display."""
    kind = graphics.type
    if _GRAPHICS_FLAGS.get(kind) not in caps.flags:
        raise unsupported(f"this QEMU has no {kind} graphics", graphics)
    if "egl-headless" in guest.graphics:
        if kind not in _WITH_EGL:
            raise unsupported(f"egl-headless graphics do not go with {kind}", graphics)
        if kind == "spice" and graphics.gl is not None and graphics.gl.enable:
            raise unsupported("QEMU has one OpenGL display: egl-headless, or spice with gl", graphics)
    if (check := _GRAPHICS.get(kind)) is not None:
        check(graphics, guest, caps)


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


def _check_vnc(graphics: Graphics, _guest: Guest, caps: Capabilities) -> None:
    if graphics.power_control is not None:
        need(caps, "vnc-power-control", "powerControl", graphics)
    if graphics.passwd is not None and len(graphics.passwd.encode()) > _LONGEST_VNC_PASSWORD:
        raise unsupported(f"a VNC password has at most {_LONGEST_VNC_PASSWORD} characters", graphics)


def _check_dbus(graphics: Graphics, guest: Guest, _caps: Capabilities) -> None:
    if graphics.audio is not None and guest.audio_types.get(graphics.audio.id, "dbus") != "dbus":
        raise unsupported("the audio of a D-Bus display is of type 'dbus'", graphics)


_GRAPHICS: dict[str, Callable[[Graphics, Guest, Capabilities], None]] = {
    "spice": _check_spice,
    "egl-headless": _check_egl,
    "vnc": _check_vnc,
    "dbus": _check_dbus,
}


# ── video ──────────────────────────────────────────────────────────────────────────────────────────


def check_video(video: Video, guest: Guest) -> None:
    """What holds for a video device under any hypervisor."""
    model = video.model
    if model is None or model.type in (None, "default"):
        raise internal("a video device has no model, and there is no default", video)
    if guest.has_no_video and len(guest.draft.of(Video)) > 1:
        raise unsupported("a video device of model 'none' must be the only one", video)
    backend = video.driver.name if video.driver is not None else None
    if backend == "vhostuser":
        if model.type != "virtio":
            raise unsupported(f"driver 'vhostuser' does not go with model '{model.type}'", video)
    elif model.acceleration is not None and model.acceleration.rendernode is not None:
        raise unsupported("rendernode needs driver 'vhostuser'", video)
    if model.type == "ramfb" and video.address is not None:
        raise unsupported("a video device of model 'ramfb' has no address", video)
    _check_model(video, model)
    if model.type != "virtio":
        check_no_virtio_options(video.driver, video)


def _check_model(video: Video, model: VideoModel) -> None:
    resolution = model.resolution
    if resolution is not None and 0 in (resolution.x, resolution.y):
        raise unsupported("a resolution is above 0", video)
    if model.type != "qxl":
        for name in ("ram", "vram64", "vgamem"):
            if getattr(model, name):
                raise unsupported(f"{name} is for model 'qxl'", video)


def check_qemu_video(video: Video, guest: Guest, caps: Capabilities) -> None:
    """What QEMU, or this QEMU, cannot do with a video device."""
    model = video.model
    if model is None or model.type == "none":
        return
    kind = model.type or ""
    if _VIDEO_FLAGS.get(kind) not in caps.flags:
        raise unsupported(f"this QEMU has no video model '{kind}'", video)
    if kind not in _SECONDARY:
        if not model.primary and video is not guest.draft.of(Video)[0]:
            raise unsupported(f"a video device of model '{kind}' can only be the primary one", video)
        if model.heads not in (None, 1):
            raise unsupported(f"a video device of model '{kind}' has one head", video)
    if kind == "qxl":
        _check_qxl_memory(video, model)
    if kind not in _RESIZABLE and model.resolution is not None:
        raise malformed(f"a video device of model '{kind}' has no resolution to set", video)
    if kind in ("vga", "vmvga") and model.vram and model.vram < _LEAST_KIB:
        raise unsupported(f"vram is at least {_LEAST_KIB} KiB", video)
    _check_acceleration(video, model, caps)


def _check_acceleration(video: Video, model: VideoModel, caps: Capabilities) -> None:
    acceleration = model.acceleration
    if acceleration is not None and acceleration.accel2d:
        raise unsupported("QEMU has no accel2d", video)
    if video.driver is not None and video.driver.name == "vhostuser":
        need(caps, "vhost-user-gpu", "driver 'vhostuser'", video)
    elif acceleration is not None and acceleration.accel3d:
        if model.type != "virtio":
            raise unsupported(f"accel3d is for model 'virtio', not '{model.type}'", video)
        if not _VIRGL & caps.flags:
            raise unsupported("accel3d is not supported by this QEMU", video)


def _check_qxl_memory(video: Video, model: VideoModel) -> None:
    for name in ("vram", "ram"):
        if (getattr(model, name) or 0) > _MOST_KIB:
            raise Refused(f"{name} is above {_MOST_KIB} KiB", video)
    if model.vgamem:
        if model.vgamem < _LEAST_KIB:
            raise unsupported(f"vgamem is at least {_LEAST_KIB} KiB", video)
        if model.vgamem & (model.vgamem - 1):
            raise unsupported(f"vgamem {model.vgamem} is no power of two", video)
