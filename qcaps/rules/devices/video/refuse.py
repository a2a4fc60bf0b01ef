"""`<video>`: models, memory, resolution and acceleration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcaps.domainxml.devices import Video
from qcaps.rules.refusal import Refused
from qcaps.rules.shared.refuse import internal, malformed, need, unsupported
from qcaps.rules.shared.virtio import check_no_virtio_options

if TYPE_CHECKING:
    from qcaps.capabilities.model import Capabilities
    from qcaps.domainxml import devices as d
    from qcaps.domainxml.devices.video import VideoModel
    from qcaps.rules.shared.guest import Guest


def refuse_read(video: d.Video) -> None:
    """Refuses an empty `<acceleration>`.

    Follows: virDomainVideoAccelDefParseXML
    """
    acceleration = video.model.acceleration if video.model is not None else None
    if acceleration is None:
        return
    if acceleration.accel3d is None and acceleration.accel2d is None and acceleration.rendernode is None:
        raise unsupported("<acceleration> says nothing", video)


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


def refuse(video: Video, guest: Guest) -> None:
    """What holds for a video device under any hypervisor.

    Follows: virDomainVideoDefValidate
    """
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


def refuse_by_qemu(video: Video, guest: Guest, caps: Capabilities) -> None:
    """What QEMU, or this QEMU, cannot do with a video device.

    Follows: qemuValidateDomainDeviceDefVideo
    """
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
