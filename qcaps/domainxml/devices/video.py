"""Graphics cards."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from qcaps.domainxml.codec import Element, Newer, Read
from qcaps.domainxml.device import Device
from qcaps.domainxml.devices.virtio import VirtioDriver
from qcaps.domainxml.syntax import U32
from qcaps.release import R12_8


class VideoDriver(VirtioDriver):
    """What serves the card: QEMU itself or a vhost-user process."""

    vgaconf: Literal["io", "on", "off"] | None = None
    name: Literal["qemu", "vhostuser"] | None = None


class VideoModelAcceleration(Element):
    """Whether the host's graphics card helps."""

    TAG: ClassVar[str] = "acceleration"
    accel3d: bool | None = None
    accel2d: bool | None = None
    rendernode: str | None = None


class VideoModelResolution(Element):
    """Size of the screen at start, in pixels."""

    TAG: ClassVar[str] = "resolution"
    x: U32
    y: U32


class VideoModel(Element):
    """The card that QEMU emulates; memories in KiB."""

    TAG: ClassVar[str] = "model"
    MERGED: ClassVar[bool] = True
    XPATH: ClassVar[bool] = True
    type: (
        Literal[
            "default", "vga", "cirrus", "vmvga", "xen", "vbox", "qxl", "parallels", "virtio", "gop", "none",
            "bochs", "ramfb",
        ]
        | None
    ) = None  # fmt: skip
    device: (
        Annotated[
            Literal[
                "virtio-vga", "virtio-vga-gl", "virtio-gpu", "virtio-gpu-gl", "vhost-user-vga",
                "vhost-user-gpu",
            ],
            Newer(R12_8),
        ]
        | None
    ) = None  # fmt: skip
    ram: U32 | None = None
    vram: U32 | None = None
    vram64: U32 | None = None
    vgamem: U32 | None = None
    heads: U32 | None = None
    primary: Annotated[bool, Read(lambda text: text == "yes")] | None = None  # libvirt takes any word for no
    acceleration: VideoModelAcceleration | None = None
    resolution: VideoModelResolution | None = None


class Video(Device):
    """A graphics card."""

    TAG: ClassVar[str] = "video"
    driver: VideoDriver | None = None
    model: VideoModel | None = None
