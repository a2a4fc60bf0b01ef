"""Network, displays, sound, TPM, and the devices that only the host has."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from qcaps.live.standing_in.work import (
    Work,
    add,
    drop,
    emptied,
    keep,
    keep_attributes,
    refuse,
    unset,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from lxml.etree import _Element

_OF_THE_CARD: Final = ("mac", "model", "driver", "boot", "rom", "address", "alias", "link", "acpi")
_OFFLOADS: Final = (
    "txmode",
    "ioeventfd",
    "event_idx",
    "rx_queue_size",
    "iommu",
    "ats",
    "packed",
    "page_per_vq",
)
_VIRTIO_ALONE: Final = ("hostdev", "vhostuser", "vdpa")
_OF_A_HOST_WITH_A_SCREEN: Final = ("sdl", "egl-headless")
_WITH_A_SOCKET: Final = ("vnc", "spice")
_WITHOUT_A_SCREEN: Final = (*_WITH_A_SOCKET, "dbus")


def interface(_work: Work, element: _Element) -> None:
    """QEMU's own network on the same card in the same place; a function of the host's becomes virtio."""
    kind = element.get("type")
    if kind in _VIRTIO_ALONE and (kind == "hostdev" or element.find("model") is None):
        drop(element, ("model", "driver"))
        add(element, "model", {"type": "virtio"})
    element.set("type", "user")
    keep_attributes(element, ("type",))
    keep(element, _OF_THE_CARD)
    for driver in element.findall("driver"):
        keep_attributes(driver, _OFFLOADS)


def rom_file(work: Work, element: _Element) -> None:
    """A ROM of the host's becomes an empty one."""
    for rom in element.findall("rom[@file]"):
        rom.set("file", work.file("rom", 64 << 10))


def graphics(work: Work, element: _Element) -> None:
    """A display that listens on a socket; one that needs a screen becomes one that listens."""
    kind = element.get("type")
    if kind in _OF_A_HOST_WITH_A_SCREEN:
        kind = _another_kind(element)
        drop(element, ("gl",))
        keep_attributes(element, ("type",))
        element.set("type", kind)
    if kind == "dbus":
        unset(element, "address")
        element.set("p2p", "yes")
    for gl in element.findall("gl"):
        emptied(gl)
        gl.set("enable", "no")
    if kind in _WITH_A_SOCKET:
        keep_attributes(element, ("type", "keymap", "sharePolicy", "powerControl"))
        drop(element, ("listen", "channel"))
        add(element, "listen", {"type": "socket", "socket": str(work.place("display"))})


def _another_kind(element: _Element) -> str:
    """A kind of display that there is none of yet, and that leaves the sound as it was."""
    devices = element.getparent()
    assert devices is not None
    displays = devices.findall("graphics")
    used = [display.get("type", "") for display in displays]
    for kind in _WITHOUT_A_SCREEN:
        instead = [kind if display is element else was for display, was in zip(displays, used, strict=True)]
        if kind not in used and (devices.find("audio") is not None or _sound(instead) == _sound(used)):
            return kind
    return refuse(element, "it needs a screen of the host's, and no other display can stand in for it")


def _sound(displays: list[str]) -> bool:
    """Whether libvirt adds an audio backend of its own.

    Follows: qemuDomainDefSuggestDefaultAudioBackend
    """
    added = not displays
    for kind in displays:
        if kind in ("vnc", "spice", "sdl"):
            added = kind != "sdl"
    return added


def video(_work: Work, element: _Element) -> None:
    """Drawn by QEMU alone: no renderer of the host's, no process beside it."""
    for driver in element.findall("driver"):
        unset(driver, "name")
    for acceleration in element.iterfind("model/acceleration"):
        unset(acceleration, "rendernode")
        acceleration.set("accel3d", "no")


def audio(_work: Work, element: _Element) -> None:
    """Silence, unless the display carries the sound."""
    if element.get("type") not in ("none", "spice"):
        keep_attributes(element, ("id", "timerPeriod"))
        keep(element, ())
        element.set("type", "none")


def tpm(_work: Work, element: _Element) -> None:
    """The host's TPM becomes one that swtpm emulates, which libvirt keeps in its own folder."""
    for backend in element.findall("backend"):
        backend.set("type", "emulator")
        drop(backend, ("device", "source", "encryption"))


def input_device(_work: Work, element: _Element) -> None:
    """A device of the host's that a virtio one hands on becomes a virtio keyboard."""
    kind = element.get("type")
    if kind == "evdev":
        refuse(element, "it reads a device of the host's, and no other input takes no place in the guest")
    if kind == "passthrough":
        drop(element, ("source",))
        element.set("type", "keyboard")
        unset(element, "model")


def lease(work: Work, element: _Element) -> None:
    """Nobody takes it: there is no lock manager."""
    for target in element.findall("target"):
        target.set("path", str(work.place("lease")))
        target.attrib.pop("offset", "")


def _never(why: str, _work: Work, element: _Element) -> None:
    refuse(element, why)


host_device: Callable[[Work, _Element], None] = partial(
    _never, "nothing stands in for a device of the host's"
)
shared_memory: Callable[[Work, _Element], None] = partial(
    _never, "its memory or its server lies outside, in /dev/shm or at a socket"
)
vsock: Callable[[Work, _Element], None] = partial(
    _never, "its number is taken from the host's kernel, by way of /dev/vhost-vsock"
)
