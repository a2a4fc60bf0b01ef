"""Which USB devices a client may hand to the guest."""

from __future__ import annotations

from typing import Annotated, ClassVar

from qcaps.domainxml.codec import Element, Name, Read, Show
from qcaps.domainxml.device import NO_INFO, Device
from qcaps.domainxml.numbers import any_base


def _usb_id(text: str) -> int:
    return any_base(text, -1, 0xFFFF)


def _usb_class(text: str) -> int:
    return any_base(text, -1, 0xFF)


def _show_id(value: int) -> str:
    return f"0x{value:04X}" if value >= 0 else "-1"


def _show_class(value: int) -> str:
    return f"0x{value:02X}" if value >= 0 else "-1"


class RedirfilterUsbdev(Element):
    """A rule about the devices that match; -1 or nothing matches any."""

    TAG: ClassVar[str] = "usbdev"
    class_: Annotated[int, Name("class"), Read(_usb_class), Show(_show_class)] | None = None
    vendor: Annotated[int, Read(_usb_id), Show(_show_id)] | None = None
    product: Annotated[int, Read(_usb_id), Show(_show_id)] | None = None
    version: str | None = None
    allow: bool


class Redirfilter(Device):
    """Which devices a client may hand over; the first rule that matches counts."""

    TAG: ClassVar[str] = "redirfilter"
    UNREAD: ClassVar[frozenset[str]] = NO_INFO
    usbdev: tuple[RedirfilterUsbdev, ...] = ()
