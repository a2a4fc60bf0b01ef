"""Device kinds with few rules: sound, audio, watchdog, hub, balloon, nvram, shmem, vsock, input."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcaps.rules.shared.guest import address_type
from qcaps.rules.shared.refuse import internal, malformed, need, unsupported
from qcaps.rules.shared.virtio import VIRTIO_MODELS, check_no_virtio_options

if TYPE_CHECKING:
    from qcaps.capabilities.model import Capabilities
    from qcaps.domain.devices import Audio, Hub, Input, Memballoon, Nvram, Shmem, Sound, Vsock, Watchdog
    from qcaps.rules.shared.guest import Guest

_SOUND_FLAGS = {
    "usb": "usb-audio",
    "ich9": "ich9-intel-hda",
    "es1370": None,
    "ac97": None,
    "ich6": None,
    "sb16": None,
    "pcspk": None,
}
_CODEC_FLAGS = {"duplex": "hda-duplex", "micro": "hda-micro", "output": "hda-output"}
_SHMEM_FLAGS = {
    "ivshmem": "ivshmem",
    "ivshmem-plain": "ivshmem-plain",
    "ivshmem-doorbell": "ivshmem-doorbell",
}
_FIRST_GUEST_CID = 3

_INPUT_FLAGS: dict[str, tuple[str, str, str | None]] = {
    "mouse": ("virtio-mouse", "virtio-mouse", "virtio-mouse-ccw"),
    "tablet": ("virtio-tablet", "virtio-tablet", "virtio-tablet-ccw"),
    "keyboard": ("virtio-keyboard", "virtio-keyboard", "virtio-keyboard-ccw"),
    "passthrough": ("virtio-input-host", "virtio-input-host", None),
    "evdev": ("input-linux", "input-linux", None),
}
"""QEMU's name of each virtio input, the flag it needs, and the one it needs beside that on CCW."""


def check_sound(sound: Sound, guest: Guest) -> None:
    """The audio backend it names."""
    if sound.audio is not None and sound.audio.id and sound.audio.id not in guest.audio_types:
        raise malformed(f"there is no <audio> with id {sound.audio.id}", sound)


def check_qemu_sound(sound: Sound, _guest: Guest, caps: Capabilities) -> None:
    """The card and its codecs."""
    if sound.model not in _SOUND_FLAGS:
        raise internal(f"QEMU has no sound card '{sound.model}'", sound)
    if (flag := _SOUND_FLAGS[sound.model]) is not None:
        need(caps, flag, f"sound card '{sound.model}'", sound)
    if sound.model in ("ich6", "ich9"):
        for codec in sound.codec:
            need(caps, _CODEC_FLAGS[codec.type], f"codec '{codec.type}'", sound)


def check_audio(audio: Audio, guest: Guest) -> None:
    """A number of its own."""
    if audio.id in guest.audio_twice:
        raise malformed(f"<audio> id {audio.id} is used twice", audio)


def check_qemu_audio(audio: Audio, guest: Guest, caps: Capabilities) -> None:
    """Audio over a display needs the display."""
    if audio.type == "spice" and "spice" not in guest.graphics:
        raise unsupported("spice audio needs spice graphics", audio)
    if audio.type == "dbus":
        need(caps, "display-dbus", "D-Bus audio", audio)


def check_qemu_watchdog(watchdog: Watchdog, guest: Guest, _caps: Capabilities) -> None:
    """Where each model sits."""
    kind = address_type(watchdog)
    if watchdog.model == "i6300esb":
        if kind not in (None, "pci"):
            raise unsupported(f"watchdog 'i6300esb' sits on PCI, not on '{kind}'", watchdog)
        return
    if kind is not None:
        raise unsupported(f"watchdog '{watchdog.model}' has no address", watchdog)
    if watchdog.model == "diag288" and not guest.is_s390:
        raise unsupported("watchdog 'diag288' is for s390 guests", watchdog)


def check_qemu_hub(hub: Hub, _guest: Guest, caps: Capabilities) -> None:
    """USB hubs alone."""
    if hub.type != "usb":
        raise unsupported(f"there is no hub of type '{hub.type}'", hub)
    need(caps, "usb-hub", "a USB hub", hub)


def check_qemu_memballoon(balloon: Memballoon, _guest: Guest, caps: Capabilities) -> None:
    """The virtio balloon and its options."""
    if balloon.model == "none":
        return
    if balloon.model not in VIRTIO_MODELS:
        raise unsupported(f"QEMU has no balloon '{balloon.model}'", balloon)
    if balloon.autodeflate is not None:
        need(caps, "virtio-balloon-pci.deflate-on-oom", "autodeflate", balloon)
    if balloon.free_page_reporting is not None:
        need(caps, "virtio-balloon.free-page-reporting", "freePageReporting", balloon)


def check_qemu_nvram(nvram: Nvram, guest: Guest, caps: Capabilities) -> None:
    """A pSeries device with a register."""
    if not guest.is_pseries:
        raise unsupported("an nvram device is for pSeries guests", nvram)
    need(caps, "nvram", "an nvram device", nvram)
    address = nvram.address
    if address is None or address.type != "spapr-vio" or address.reg is None:
        raise malformed("an nvram device takes an address of type 'spapr-vio' with a reg", nvram)


def check_shmem(shmem: Shmem, _guest: Guest) -> None:
    """A name that is a file name."""
    if "/" in shmem.name or shmem.name in (".", ".."):
        raise unsupported(f"'{shmem.name}' is no name of shared memory", shmem)


def check_qemu_shmem(shmem: Shmem, _guest: Guest, caps: Capabilities) -> None:
    """The model; plain ivshmem is gone from new QEMUs."""
    model = (shmem.model.type if shmem.model is not None else None) or "ivshmem"
    need(caps, _SHMEM_FLAGS[model], f"shared memory of model '{model}'", shmem)


def check_vsock(vsock: Vsock, _guest: Guest) -> None:
    """The guest's number."""
    if vsock.cid is not None and 0 < (vsock.cid.address or 0) < _FIRST_GUEST_CID:
        raise unsupported(f"the CID of a guest is at least {_FIRST_GUEST_CID}", vsock)
    if vsock.model not in VIRTIO_MODELS:
        check_no_virtio_options(vsock.driver, vsock)


def check_qemu_vsock(vsock: Vsock, _guest: Guest, caps: Capabilities) -> None:
    """QEMU's one vsock device."""
    need(caps, "vhost-vsock", "a vsock device", vsock)


def check_input(device: Input, _guest: Guest) -> None:
    """Which type goes on which bus."""
    kind, bus = device.type, device.bus
    if bus == "ps2" and kind not in ("mouse", "keyboard"):
        raise internal(f"an input of type '{kind}' cannot be on bus 'ps2'", device)
    if bus in ("xen", "parallels"):
        raise internal(f"QEMU has no input on bus '{bus}'", device)
    if kind == "passthrough" and bus != "virtio":
        raise unsupported(f"an input of type 'passthrough' goes on bus 'virtio', not '{bus}'", device)
    if kind == "evdev" and bus not in (None, "none"):
        raise unsupported("an input of type 'evdev' has no bus", device)
    if device.model is not None and bus != "virtio":
        raise unsupported(f"input model '{device.model}' goes on bus 'virtio', not '{bus}'", device)


def check_qemu_input(device: Input, guest: Guest, caps: Capabilities) -> None:
    """Which inputs this QEMU has."""
    if device.bus == "ps2" and not guest.is_x86:
        need(caps, "i8042", "an input on bus 'ps2'", device)
    if device.bus == "usb" and device.type == "keyboard":
        need(caps, "usb-kbd", "a USB keyboard", device)
    if device.bus != "virtio":
        return
    if device.model in ("virtio-transitional", "virtio-non-transitional"):
        raise unsupported(f"there is no input of type '{device.type}' and model '{device.model}'", device)
    name, flag, ccw_flag = _INPUT_FLAGS[device.type]
    need(caps, flag, f"'{name}'", device)
    if address_type(device) == "ccw":
        if ccw_flag is None:
            raise unsupported(f"'{name}' cannot be on CCW", device)
        need(caps, ccw_flag, f"'{name}' on CCW", device)
