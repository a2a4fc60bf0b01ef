"""A domain being worked on: its devices in lists by kind, the way libvirt holds them.

Devices are frozen: a phase replaces `draft.of(Disk)[i]` with `evolve(disk, …)`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

from qcaps.domainxml.codec import evolve
from qcaps.domainxml.device import Device
from qcaps.domainxml.devices import (
    KINDS,
    AnyDevice,
)
from qcaps.release import DEFAULT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qcaps.domainxml.domain import Domain
    from qcaps.release import Release

_D = TypeVar("_D", bound=Device)


class Draft:
    """The mutable state of one task. `domain` holds everything but the devices.

    `release` is that of the libvirt whose rules hold.
    """

    def __init__(self, domain: Domain, release: Release = DEFAULT) -> None:
        self.domain = domain
        self.release = release
        self.emulator = domain.devices.emulator
        self._kinds: dict[type[Device], list[Any]] = {}
        for device in domain.devices.all:
            self.of(type(device)).append(device)

    def of(self, kind: type[_D]) -> list[_D]:
        """The devices of one kind; the list itself, to be changed in place."""
        found = self._kinds.get(kind)
        if found is None:
            found = self._kinds[kind] = []
        return cast("list[_D]", found)

    def set(self, **changes: Any) -> None:  # noqa: ANN401  # the fields of Domain
        """Changes elements of the domain itself."""
        self.domain = evolve(self.domain, **changes)

    def devices(self) -> Iterator[AnyDevice]:
        """Every device, kind by kind in the order libvirt writes them."""
        for kind in KINDS:
            yield from self._kinds.get(kind, ())

    def freeze(self) -> Domain:
        """The domain with its devices as they are now."""
        devices = evolve(self.domain.devices, emulator=self.emulator, all=tuple(self.devices()))
        return evolve(self.domain, devices=devices)
