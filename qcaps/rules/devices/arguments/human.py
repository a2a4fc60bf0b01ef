"""What people and their things use: inputs, hubs, smartcards, devices of a client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qcaps.domain.address import CcidAddress
from qcaps.domain.devices import Hub, Input, Redirdev, Redirfilter, Smartcard
from qcaps.rules.refusal import Refused
from qcaps.rules.start.address import placed, zpci
from qcaps.rules.start.backend import chardev
from qcaps.rules.start.virtio import virtio

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qcaps.domain.devices.redirection import RedirfilterUsbdev
    from qcaps.rules.start.argument import Json
    from qcaps.rules.start.guest import Guest

_USB_INPUTS: Final = {"mouse": "usb-mouse", "tablet": "usb-tablet", "keyboard": "usb-kbd"}
_VIRTIO_INPUTS: Final = {
    "mouse": "virtio-mouse",
    "tablet": "virtio-tablet",
    "keyboard": "virtio-keyboard",
    "passthrough": "virtio-input-host",
}
_CERTIFICATES: Final = "/etc/pki/nssdb"


def inputs(guest: Guest) -> Iterator[str]:
    """Mice, tablets and keyboards but those every board has (PS/2)."""
    for device in guest.of(Input):
        yield from zpci(guest, device)
        source = device.source
        if device.type == "evdev":
            yield from guest.backend(
                {
                    "qom-type": "input-linux",
                    "id": guest.alias(device),
                    "evdev": (source.dev if source else None) or "",
                    "repeat": source.repeat if source else None,
                    "grab_all": True if source and source.grab == "all" else None,
                    "grab-toggle": source.grab_toggle if source else None,
                }
            )
        elif device.bus == "usb":
            if device.type not in _USB_INPUTS:
                raise Refused(f"there is no USB input '{device.type}'", device)
            yield from guest.device(
                {"driver": _USB_INPUTS[device.type], "id": guest.alias(device), **placed(guest, device)}
            )
        elif device.bus == "virtio":
            base = _VIRTIO_INPUTS[device.type]
            yield from guest.device(
                {
                    **virtio(guest, device, base, driver=device.driver),
                    "id": guest.alias(device),
                    "evdev": source.evdev if source and device.type == "passthrough" else None,
                    **placed(guest, device),
                }
            )


def hubs(guest: Guest) -> Iterator[str]:
    """USB hubs."""
    for hub in guest.of(Hub):
        yield from guest.device({"driver": "usb-hub", "id": guest.alias(hub), **placed(guest, hub)})


def smartcards(guest: Guest) -> Iterator[str]:
    """The smartcard; of several the first, as in libvirt."""
    for card in guest.of(Smartcard)[:1]:
        name = guest.alias(card)
        properties: dict[str, Json]
        if card.mode == "host":
            properties = {"driver": "ccid-card-emulated", "backend": "nss-emulated"}
        elif card.mode == "host-certificates":
            texts = [one.text or "" for one in card.certificate] + ["", "", ""]
            properties = {
                "driver": "ccid-card-emulated", "backend": "certificates",
                "cert1": texts[0], "cert2": texts[1], "cert3": texts[2], "db": card.database or _CERTIFICATES,
            }  # fmt: skip
        else:
            yield from chardev(guest, card, f"char{name}")
            properties = {"driver": "ccid-card-passthru", "chardev": f"char{name}"}
        index = card.address.controller or 0 if isinstance(card.address, CcidAddress) else 0
        bus = f"{guest.alias(guest.controller('ccid', index, card))}.0"
        yield from guest.device({**properties, "id": name, "bus": bus})


def redirected(guest: Guest) -> Iterator[str]:
    """Ports for devices of a client, with the rules about which of them may be handed over."""
    rules = [rule for given in guest.of(Redirfilter) for rule in given.usbdev]
    text = "|".join(_rule(rule) for rule in rules) or None
    for device in guest.of(Redirdev):
        name = f"char{guest.alias(device)}"
        yield from chardev(guest, device, name)
        yield from guest.device(
            {
                "driver": "usb-redir",
                "chardev": name,
                "id": guest.alias(device),
                "filter": text,
                "bootindex": guest.boot_index(device),
                **placed(guest, device),
            }
        )


def _rule(rule: RedirfilterUsbdev) -> str:
    words = [_digits(rule.class_, 2), _digits(rule.vendor, 4), _digits(rule.product, 4), _version(rule)]
    return ":".join((*words, str(int(rule.allow))))


def _digits(number: int | None, width: int) -> str:
    return "-1" if number is None or number < 0 else f"0x{number:0{width}X}"


def _version(rule: RedirfilterUsbdev) -> str:
    """1.10 as 0x0110: the two parts of a USB version are decimal digits."""
    if rule.version in (None, "-1"):
        return "-1"
    major, _, minor = str(rule.version).partition(".")
    return f"0x{int(major):02d}{int(minor or 0):02d}"
