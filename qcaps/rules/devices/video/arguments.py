"""`<video>`: the cards, of which the first speaks VGA where it can."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qcaps.domainxml.devices import Video
from qcaps.rules.refusal import Refused
from qcaps.rules.start import paths
from qcaps.rules.start.address import placed, zpci
from qcaps.rules.start.backend import unix_socket
from qcaps.rules.start.virtio import virtio

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qcaps.rules.start.argument import Json, Properties
    from qcaps.rules.start.launch import Launch


_PRIMARY: Final = {
    "vga": "VGA",
    "cirrus": "cirrus-vga",
    "vmvga": "vmware-svga",
    "qxl": "qxl-vga",
    "virtio": "virtio-vga",
    "bochs": "bochs-display",
    "ramfb": "ramfb",
}


_SECONDARY: Final = {"qxl": "qxl", "virtio": "virtio-gpu"}


_GL_FLAGS: Final = {"virtio-vga": "virtio-vga-gl", "virtio-gpu": "virtio-gpu-gl-pci"}


_VGA_MEMORY: Final = {"vga": "VGA.vgamem_mb", "vmvga": "vmware-svga.vgamem_mb"}


def cards(launch: Launch) -> Iterator[str]:
    """Every card but one of type none; the primary one speaks VGA where it can.

    Follows: qemuBuildVideoCommandLine
    """
    for video in launch.of(Video):
        if video.model and video.model.type == "none":
            continue
        if _is_vhost_user(video):
            path = paths.own(launch.domain, f"{launch.alias(video)}-vhost-user.sock")
            yield from ("-chardev", unix_socket(f"chr-vu-{launch.alias(video)}", path, listens=False))
        yield from zpci(launch, video)
        yield from launch.device(_card(launch, video))


def _is_vhost_user(video: Video) -> bool:
    return video.driver is not None and video.driver.name == "vhostuser"


# Follows: qemuBuildDeviceVideoCmd
def _card(launch: Launch, video: Video) -> Properties:
    model = video.model
    kind = (model.type if model else None) or ""
    screen = model.resolution if model else None
    accelerated = model.acceleration.accel3d if model and model.acceleration else None
    has_heads = kind in ("qxl", "virtio") and model is not None
    by_flag = "virtio-gpu.virgl" in launch.capabilities and kind == "virtio" and not _is_vhost_user(video)
    return {
        **_driver(launch, video, kind, accelerated=accelerated),
        "id": launch.alias(video),
        "virgl": accelerated if by_flag else None,
        "max_outputs": (model.heads if model and has_heads else None) or None,
        **_memory(launch, video, kind),
        "xres": (screen.x if screen else None) or None,
        "yres": (screen.y if screen else None) or None,
        **placed(launch, video),
    }


# Follows: qemuDeviceVideoGetModel
def _driver(launch: Launch, video: Video, kind: str, *, accelerated: bool | None) -> Properties:
    vhost = _is_vhost_user(video)
    speaks_vga = bool(video.model and video.model.primary) and (
        kind != "virtio" or ("vhost-user-vga" if vhost else "virtio-vga") in launch.capabilities
    )
    if vhost:
        if speaks_vga:
            return {"driver": "vhost-user-vga"}
        return virtio(launch, video, "vhost-user-gpu", driver=video.driver)
    driver = (_PRIMARY if speaks_vga else _SECONDARY).get(kind)
    if driver is None:
        raise Refused(f"QEMU has no {'primary' if speaks_vga else 'secondary'} video card '{kind}'", video)
    if kind != "virtio":
        return {"driver": driver}
    if accelerated and _GL_FLAGS[driver] in launch.capabilities:
        driver += "-gl"
    return virtio(launch, video, driver, driver=video.driver, has_suffix=not speaks_vga)


# Follows: qemuBuildDeviceVideoCmd
def _memory(launch: Launch, video: Video, kind: str) -> dict[str, Json]:
    model = video.model
    if model is None:
        return {}
    if _is_vhost_user(video):
        return {"chardev": f"chr-vu-{launch.alias(video)}"}
    if kind == "qxl":
        return {
            "ram_size": (model.ram or 0) * 1024 or None,
            "vram_size": (model.vram or 0) * 1024 or None,
            "vram64_size_mb": (model.vram64 or 0) // 1024
            if "qxl.vram64_size_mb" in launch.capabilities
            else None,
            "vgamem_mb": (model.vgamem or 0) // 1024 if "qxl.vgamem_mb" in launch.capabilities else None,
        }
    if kind in _VGA_MEMORY and _VGA_MEMORY[kind] in launch.capabilities:
        return {"vgamem_mb": (model.vram or 0) // 1024 or None}
    if kind == "bochs":
        return {"vgamem": (model.vram or 0) * 1024 or None}
    return {}
