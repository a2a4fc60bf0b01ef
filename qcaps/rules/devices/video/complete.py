"""`<video>`: the machine's model, and memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qcaps.capabilities.targets import PPC64, S390
from qcaps.domainxml.codec import evolve
from qcaps.domainxml.devices import Video
from qcaps.domainxml.devices.video import VideoModel
from qcaps.release import R9_0, R12_8, since
from qcaps.rules.machine import is_arm_virt, is_riscv_virt

if TYPE_CHECKING:
    from qcaps.capabilities.model import Capabilities
    from qcaps.domainxml.domain import Domain
    from qcaps.release import Since
    from qcaps.rules.shared.state import State


# Follows: virDomainVideoDefaultRAM
_KIB: Final = {"vga": 16384, "cirrus": 16384, "vmvga": 16384, "bochs": 16384, "xen": 4096, "qxl": 65536}
"""The video memory of a card that says nothing."""


_QXL_VGA_KIB: Final = 16384


def read(_domain: Domain, video: Video) -> Video:
    """One head unless told otherwise; leaves out numbers of 0.

    Follows: virDomainVideoDefParseXML, virDomainVideoDefFormat
    """
    model = video.model or VideoModel()
    changes: dict[str, Any] = {
        name: getattr(model, name) or None for name in ("ram", "vram", "vram64", "vgamem")
    }
    changes["heads"] = 1 if model.heads is None else model.heads or None
    return evolve(video, model=evolve(model, primary=model.primary or None, **changes))


def complete(state: State, video: Video) -> Video:
    """The machine's model, and memory in powers of two.

    Follows: qemuDomainDeviceVideoDefPostParse, virDomainVideoDefPostParse
    """
    model = video.model or VideoModel()
    kind: Any = model.type
    if kind in (None, "default"):
        kind = _default_type(state.domain, state.caps)
    changes: dict[str, Any] = {"type": kind}
    if kind == "qxl":
        changes["vgamem"] = model.vgamem or _QXL_VGA_KIB
        changes["ram"] = model.ram or _KIB["qxl"]
    changes["ram"] = _power_of_two(changes.get("ram", model.ram))
    changes["vram"] = _power_of_two(model.vram or _KIB.get(kind))
    if kind == "virtio" and model.device is None and since(_DEVICE_IS_SHOWN, state.draft.release):
        changes["device"] = _virtio_device(state, video, model)
    return evolve(video, model=evolve(model, **changes))


_DEVICE_IS_SHOWN: Final[Since[bool]] = {R9_0: False, R12_8: True}
"""Whether the definition names QEMU's device of a virtio card."""


# Follows: qemuDeviceVideoGetModel, qemuDomainSupportsVideoVga
def _virtio_device(state: State, video: Video, model: VideoModel) -> Any:  # noqa: ANN401  # one of its words
    videos = state.draft.of(Video)
    primary = model.primary or (bool(videos) and videos[0] is video)
    outside = video.driver is not None and video.driver.name == "vhostuser"
    vga = primary and ("vhost-user-vga" if outside else "virtio-vga") in state.caps
    if outside:
        return "vhost-user-vga" if vga else "vhost-user-gpu"
    accelerated = model.acceleration is not None and model.acceleration.accel3d is True
    if vga:
        return "virtio-vga-gl" if accelerated and "virtio-vga-gl" in state.caps else "virtio-vga"
    return "virtio-gpu-gl" if accelerated and "virtio-gpu-gl-pci" in state.caps else "virtio-gpu"


# Follows: qemuDomainDefaultVideoDevice
def _default_type(domain: Domain, caps: Capabilities) -> str:
    if domain.arch in PPC64:
        return "vga"
    if is_arm_virt(domain) or is_riscv_virt(domain) or domain.arch in S390:
        return "virtio"
    if "cirrus-vga" in caps:
        return "cirrus"
    return "vga" if "VGA" in caps else "default"


def _power_of_two(size: int | None) -> int | None:
    """The next one from `size` on; of one that 32 bits cannot hold, nothing is left."""
    power = 1 << (size - 1).bit_length() if size else 0
    return power if 0 < power < 2**32 else None


def mark_primary(state: State) -> None:
    """Marks the first card as the primary one and completes it once more; empties one of type none.

    Follows: virDomainDefPostParseVideo
    """
    videos = state.draft.of(Video)
    if not videos:
        return
    first = videos[0]
    if first.model is not None and first.model.type == "none":
        videos[0] = Video(alias=first.alias, model=VideoModel(type="none"))
        return
    videos[0] = complete(state, evolve(first, model=evolve(first.model or VideoModel(), primary=True)))
