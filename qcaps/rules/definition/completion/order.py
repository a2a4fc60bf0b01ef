"""The order in which libvirt keeps devices as it reads them; it differs from that of the file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcaps.domainxml.devices import Controller, Disk, Video
from qcaps.rules.shared.controllers import sort_controllers
from qcaps.rules.shared.names import disk_number

if TYPE_CHECKING:
    from qcaps.rules.draft import Draft


def sort_devices(draft: Draft) -> None:
    """Disks by bus and name, controllers by type and index, the primary video first."""
    _sort_disks(draft.of(Disk))
    sort_controllers(draft.of(Controller))
    videos = draft.of(Video)
    primary = [one for one in videos if one.model is not None and one.model.primary]
    if primary:
        # each primary is put before what was read so far
        videos[:] = [*reversed(primary), *(one for one in videos if one not in primary)]


def _sort_disks(disks: list[Disk]) -> None:
    """Buses stay in the order of their first disk; within one, disks are in the order of their names.

    Follows: virDomainDiskInsert
    """
    groups: dict[str | None, int] = {}
    keys = []
    for position, disk in enumerate(disks):
        target = disk.target
        bus = target.bus if target is not None else None
        number = disk_number(target.dev) if target is not None and target.dev else -1
        keys.append((groups.setdefault(bus, len(groups)), number, position))
    keys.sort()
    disks[:] = [disks[position] for _, _, position in keys]
