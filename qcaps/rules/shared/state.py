"""What the callbacks of devices share during one post-parse."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from qcaps.domainxml.address import DriveAddress
from qcaps.domainxml.devices import Controller, Disk, Hostdev

if TYPE_CHECKING:
    from qcaps.capabilities.model import Capabilities
    from qcaps.domainxml.device import Device
    from qcaps.domainxml.domain import Domain
    from qcaps.rules.draft import Draft

Place = tuple[int, int, int, int]
"""Controller, bus, target, unit."""

NARROW_SCSI_UNITS = 7
"""How many units libvirt puts on one SCSI controller."""

_MOST_UNIT = {"lsisas1068": 1, "ncr53c90": 6, "dc390": 6, "am53c974": 6}
"""The highest unit of models that have fewer than libvirt would use."""


class State:
    """One post-parse: the draft, and the capabilities of the callback that runs."""

    def __init__(self, draft: Draft, caps: Capabilities) -> None:
        self.draft = draft
        self.caps = caps
        self.domain: Domain = draft.domain
        self._ports: dict[type[Device], int] = {}
        self._next_place = (0, 0)

    def next_port(self, kind: type[Device]) -> int:
        """The number after the highest port of character devices of that kind.

        Follows: virDomainChrDefPostParse
        """
        if kind not in self._ports:
            targets = (getattr(one, "target", None) for one in self.draft.of(kind))
            ports = (getattr(one, "port", None) for one in targets)
            self._ports[kind] = max((port for port in ports if port is not None), default=-1)
        self._ports[kind] += 1
        return self._ports[kind]

    @cached_property
    def scsi_hostdevs(self) -> set[Place]:
        """Where host SCSI devices are."""
        hostdevs = (one for one in self.draft.of(Hostdev) if one.type == "scsi")
        return {place(one.address) for one in hostdevs if isinstance(one.address, DriveAddress)}

    @cached_property
    def scsi_disks(self) -> set[Place]:
        """Where SCSI disks are; complete once the disks' callbacks have run."""
        disks = (one for one in self.draft.of(Disk) if one.target is not None and one.target.bus == "scsi")
        return {place(one.address) for one in disks if isinstance(one.address, DriveAddress)}

    @cached_property
    def _scsi_models(self) -> dict[int | None, str | None]:
        controllers = reversed(self.draft.of(Controller))
        return {one.index: one.model for one in controllers if one.type == "scsi"}

    def free_scsi_place(self) -> Place:
        """The first place no SCSI disk and no host SCSI device has; taken from now on.

        Follows: virDomainHostdevAssignAddress, virDomainControllerSCSINextUnit
        """
        controller, unit = self._next_place
        while not self._is_free(controller, unit):
            controller, unit = (controller, unit + 1) if unit + 1 < NARROW_SCSI_UNITS else (controller + 1, 0)
        self._next_place = (controller, unit)
        self.scsi_hostdevs.add((controller, 0, 0, unit))
        return controller, 0, 0, unit

    def _is_free(self, controller: int, unit: int) -> bool:
        if unit > _MOST_UNIT.get(self._scsi_models.get(controller) or "", NARROW_SCSI_UNITS):
            return False
        where = (controller, 0, 0, unit)
        return where not in self.scsi_disks and where not in self.scsi_hostdevs


def place(address: DriveAddress) -> Place:
    """Where on which controller, gaps filled with 0."""
    return address.controller or 0, address.bus or 0, address.target or 0, address.unit or 0
