"""The kinds of refusal, named as libvirt names its errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcaps.rules.refusal import Refused

if TYPE_CHECKING:
    from qcaps.capabilities.model import Capabilities
    from qcaps.domain.codec import Element


def unsupported(why: str, element: Element | None = None) -> Refused:
    """What this QEMU, this machine or this kind of guest cannot do."""
    return Refused(f"unsupported configuration: {why}", element)


def malformed(why: str, element: Element | None = None) -> Refused:
    """What contradicts itself, or refers to what is not there."""
    return Refused(f"XML error: {why}", element)


def internal(why: str, element: Element | None = None) -> Refused:
    """What libvirt, for reasons of its history, calls an internal error."""
    return Refused(f"internal error: {why}", element)


def need(caps: Capabilities, flag: str, what: str, element: Element | None = None) -> None:
    """Refuses `what` unless the QEMU has `flag`."""
    if flag not in caps.flags:
        raise unsupported(f"{what} is not supported by this QEMU ({flag} is missing)", element)
