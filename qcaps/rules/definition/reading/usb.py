"""USB that is switched off, companion controllers without a master, too many TPMs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcaps.capabilities.targets import S390, X86
from qcaps.domainxml.devices import Controller, Hostdev, Hub, Input, Tpm
from qcaps.rules.refusal import Refused
from qcaps.rules.shared.refuse import malformed, unsupported

if TYPE_CHECKING:
    from qcaps.rules.draft import Draft

_MOST_TPMS = 2

_COMPANIONS = frozenset({"ich9-uhci1", "ich9-uhci2", "ich9-uhci3"})
"""Models that share the ports of another controller even when they name none."""


def check_tpms(draft: Draft) -> None:
    """Refuses a third TPM. That one of two is a proxy is checked in validation.

    Follows: virDomainDefParseXML
    """
    tpms = draft.of(Tpm)
    if len(tpms) > _MOST_TPMS:
        raise malformed(f"there can be {_MOST_TPMS} <tpm>, not {len(tpms)}", tpms[_MOST_TPMS])


def check_usb(draft: Draft) -> None:
    """Whether what needs USB has it, and companions a master.

    Follows: virDomainDefParseXML, virDomainDefControllersParse
    """
    controllers = [one for one in draft.of(Controller) if one.type == "usb"]
    off = any(one.model == "none" for one in controllers)
    if off and len(controllers) > 1:
        raise Refused(
            "USB is switched off (model 'none'), and there is a USB controller beside", controllers[1]
        )
    if not off:
        masters = [one for one in controllers if one.master is None and one.model not in _COMPANIONS]
        if controllers and not masters:
            raise Refused("USB controllers are companions, and no master is there", controllers[0])
        return
    for device in draft.of(Input):
        if input_bus(device, draft.domain.arch) == "usb":
            raise unsupported("an input on bus 'usb' needs USB, which is switched off", device)
    for hostdev in draft.of(Hostdev):
        if hostdev.type == "usb":
            raise unsupported("a USB device of the host needs USB, which is switched off", hostdev)
    for hub in draft.of(Hub):
        raise unsupported("a USB hub needs USB, which is switched off", hub)


def input_bus(device: Input, arch: str | None) -> str:
    """The bus of an input; libvirt chooses one by type and architecture where the file names none.

    Follows: virDomainInputDefParseXML
    """
    if device.bus is not None:
        return device.bus
    if device.type in ("mouse", "keyboard") and (arch is None or arch in X86):
        return "ps2"
    if arch in S390 or device.type == "passthrough":
        return "virtio"
    return "none" if device.type == "evdev" else "usb"
