"""The order in which libvirt keeps devices as it reads them; it differs from that of the file."""

from __future__ import annotations

from itertools import chain
from operator import itemgetter
from typing import TYPE_CHECKING

from qcaps.domain.devices import Controller, Disk, Video
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


def sort_controllers(controllers: list[Controller]) -> None:
    """Types stay in the order of their first controller; within one, indexes decide.

    Follows: virDomainControllerInsertPreAlloced
    """
    groups: dict[str | None, list[Controller]] = {}
    for controller in controllers:
        groups.setdefault(controller.type, []).append(controller)
    controllers[:] = chain.from_iterable(map(_sorted_by_index, groups.values()))


def _sorted_by_index(group: list[Controller]) -> list[Controller]:
    """By index, a USB master before its companions; one without an index stays behind what it followed."""
    first: list[Controller] = []
    runs: list[tuple[tuple[int, bool], list[Controller]]] = []
    last = first
    highest = (-1, False)
    for controller in group:
        if controller.index is None:
            last.append(controller)
            continue
        key = (controller.index, controller.master is not None)
        run = [controller]
        runs.append((key, run))
        if key >= highest:
            highest, last = key, run
    runs.sort(key=itemgetter(0))
    return [*first, *chain.from_iterable(run for _, run in runs)]
