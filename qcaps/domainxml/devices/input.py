"""Mice, tablets, keyboards and input devices of the host."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from qcaps.domainxml.codec import ON_OFF, Element, Name
from qcaps.domainxml.device import Device
from qcaps.domainxml.devices.virtio import VirtioDriver, VirtioModel

InputType = Literal["mouse", "tablet", "keyboard", "passthrough", "evdev"]
InputBus = Literal["ps2", "usb", "xen", "parallels", "virtio", "none"]


class InputSource(Element):
    """A device file of the host; `dev` for evdev, `evdev` for passthrough."""

    TAG: ClassVar[str] = "source"
    dev: str | None = None
    evdev: str | None = None
    grab: Literal["all"] | None = None
    grab_toggle: (
        Annotated[
            Literal["ctrl-ctrl", "alt-alt", "shift-shift", "meta-meta", "scrolllock", "ctrl-scrolllock"],
            Name("grabToggle"),
        ]
        | None
    ) = None
    repeat: Annotated[bool, ON_OFF] | None = None


class Input(Device):
    """A mouse, tablet or keyboard."""

    TAG: ClassVar[str] = "input"
    type: InputType
    bus: InputBus | None = None
    model: VirtioModel | None = None
    driver: VirtioDriver | None = None
    source: InputSource | None = None
