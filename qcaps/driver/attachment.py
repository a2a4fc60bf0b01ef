"""Puts a device into a definition, takes one out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcaps.rules import orders
from qcaps.rules.refusal import Refused

if TYPE_CHECKING:
    from qcaps.domainxml.devices import AnyDevice
    from qcaps.rules.draft import Draft


_IDENTITY = {kind.device: kind.identity for kind in orders.WRITTEN if kind.identity is not None}
"""What tells two devices of a kind apart; other kinds by their alias, else by all they say."""


def _identity(device: AnyDevice) -> object:
    if device.alias is not None:
        return device.alias.name
    tell = _IDENTITY.get(type(device))
    return tell(device) if tell else device


def add_device(draft: Draft, device: AnyDevice) -> None:
    """Adds `device`; refuses a second one of the same identity."""
    if type(device) in _IDENTITY and any(
        _identity(other) == _identity(device) for other in draft.of(type(device))
    ):
        raise Refused("the domain has this device already", device)
    draft.of(type(device)).append(device)


def remove_device(draft: Draft, device: AnyDevice) -> None:
    """Removes the device that `device` describes."""
    devices = draft.of(type(device))
    for index, other in enumerate(devices):
        if _identity(other) == _identity(device):
            del devices[index]
            return
    raise Refused("the domain has no such device", device)
