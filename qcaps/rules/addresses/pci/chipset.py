"""The slots that the boards keep for their own devices.

What is decided here holds for planning and for the assignment that follows it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcaps.domainxml.devices import Controller, Sound, Video
from qcaps.rules.addresses.pci import flags as f
from qcaps.rules.addresses.pci.space import At
from qcaps.rules.machine import is_i440fx, is_q35
from qcaps.rules.refusal import Refused

if TYPE_CHECKING:
    from qcaps.domainxml.domain import Domain
    from qcaps.rules.addresses.pci.place import Place
    from qcaps.rules.addresses.pci.slots import Places
    from qcaps.rules.addresses.pci.space import Space

_PIIX3_ISA = At(0, 1, 0)
_PIIX3_IDE = At(0, 1, 1)
_PIIX3_USB = At(0, 1, 2)
_PIIX3_POWER = At(0, 1, 3)
_PIIX3_USB_MODELS = (None, "piix3-uhci")
_PC_VIDEO = At(0, 2)

_ICH9_ISA = At(0, 0x1F, 0)
_ICH9_SATA = At(0, 0x1F, 2)
_ICH9_SMBUS = At(0, 0x1F, 3)
_ICH9_SOUND = At(0, 0x1B)
_ICH9_USUAL: dict[tuple[str | None, str | None], tuple[tuple[At, ...], bool | None]] = {
    ("usb", "ich9-uhci1"): ((At(0, 0x1D), At(0, 0x1A)), True),
    ("pci", "dmi-to-pci-bridge"): ((At(0, 0x1E),), None),
}
"""Where the hardware has these controllers, and their multifunction mark; no must, if a slot is taken."""
_Q35_VIDEO = At(0, 1)

_PC_FLAGS = f.PCI | f.AUTOASSIGN


def reserve_chipset(domain: Domain, places: Places, space: Space) -> None:
    """Takes what the board of the domain needs. Raises Refused where the user put something else there.

    Follows: qemuDomainValidateDevicePCISlotsChipsets
    """
    if is_i440fx(domain):
        _reserve_piix3(places, space)
    elif is_q35(domain):
        _reserve_ich9(places, space)


def piix3_part(place: Place) -> bool:
    """Whether a place is that of the PIIX3's own IDE or USB controller, at its own address.

    Follows: qemuDomainCollectPCIAddress
    """
    device = place.device
    if not isinstance(device, Controller) or device.index or place.domain:
        return False
    if device.type == "ide":
        return place.at == _PIIX3_IDE
    return device.type == "usb" and device.model in _PIIX3_USB_MODELS and place.at == _PIIX3_USB


# Follows: qemuDomainValidateDevicePCISlotsPIIX3
def _reserve_piix3(places: Places, space: Space) -> None:
    for place in places.of(Controller):
        device = place.device
        if device.index:
            continue
        if device.type == "ide":
            _pin(place, _PIIX3_IDE, "the first IDE controller")
        elif device.type == "usb" and device.model in _PIIX3_USB_MODELS:
            _pin(place, _PIIX3_USB, "the first PIIX3 USB controller")
        else:
            continue
        if space.buses:
            space.reserve(place.at or At(0, 0), _PC_FLAGS, device)
    if space.buses:
        space.reserve(_PIIX3_ISA, _PC_FLAGS, None)
        space.reserve(_PIIX3_POWER, _PC_FLAGS, None)
    _reserve_video(places, space, _PC_VIDEO, _PC_FLAGS)


# Follows: qemuDomainValidateDevicePCISlotsQ35
def _reserve_ich9(places: Places, space: Space) -> None:
    for place in places.of(Controller):
        device = place.device
        if device.type == "sata" and not device.index:
            _pin(place, _ICH9_SATA, "the first SATA controller")
        elif place.at is None and device.address is None:
            usual, multifunction = _ICH9_USUAL.get((device.type, device.model), ((), None))
            free = next((at for at in usual if not space.in_use(at)), None)
            if free is not None:
                place.put(space.reserve(free, f.PCIE, device), multifunction=multifunction)
    if space.buses:
        space.reserve(_ICH9_ISA, f.PCIE, None)
        space.reserve(_ICH9_SMBUS, f.PCIE, None)
    _reserve_video(places, space, _Q35_VIDEO, f.PCIE)
    if not space.in_use(_ICH9_SOUND):
        for place in places.of(Sound):
            if place.at is None and place.device.model == "ich9":
                place.put(space.reserve(_ICH9_SOUND, f.PCIE, place.device))
                break


def _pin(place: Place, at: At, what: str) -> None:
    if place.at is None:
        place.put(at)
    elif place.at != at or place.domain:
        raise Refused(f"internal error: {what} belongs to the board and is at PCI address {at}", place.device)


def _reserve_video(places: Places, space: Space, at: At, flags: int) -> None:
    """QEMU puts the first graphics card into the first slot that the board leaves free."""
    videos = places.of(Video)
    if not videos or not videos[0].is_first or videos[0].at is not None:
        return
    video = videos[0]
    if video.device.model is not None and video.device.model.type in ("none", "ramfb"):
        return
    space.check(at, flags, video.device)
    if not space.in_use(at):
        video.put(space.reserve(at, flags, video.device))
        return
    found = space.reserve_next(video.flags, video.device)
    if not space.planning:
        video.put(found)
