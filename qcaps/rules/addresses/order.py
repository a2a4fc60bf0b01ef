"""The orders in which libvirt walks over devices when it gives out addresses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qcaps.domainxml.devices import (
    Console,
)
from qcaps.rules import orders

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qcaps.domainxml.device import Device
    from qcaps.rules.draft import Draft

_TWINS = (None, "serial")


def addressed(draft: Draft) -> Iterator[tuple[list[Any], int, Any]]:
    """Each device that may have an address, with its list and its place in it.

    The first console is left out if it only stands for the first serial port.

    Follows: virDomainDeviceInfoIterateFlags
    """
    for kind in orders.ADDRESSED:
        for devices, index in of_kind(draft, kind.device):
            yield devices, index, devices[index]


def of_kind(draft: Draft, kind: type[Device]) -> Iterator[tuple[list[Any], int]]:
    """The devices of one kind that may have an address of their own, as a list and places in it."""
    devices: list[Any] = draft.of(kind)
    start = 1 if kind is Console and has_twin(draft) else 0
    for index in range(start, len(devices)):
        yield devices, index


def has_twin(draft: Draft) -> bool:
    """Whether the first console is the first serial port under another name."""
    consoles = draft.of(Console)
    return bool(consoles) and (consoles[0].target is None or consoles[0].target.type in _TWINS)
