"""Which device comes when in the order of booting."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcaps.domainxml.devices import Disk, Hostdev, Interface, Redirdev

if TYPE_CHECKING:
    from qcaps.rules.draft import Draft

_WANTED = {"cdrom": "cdrom", "floppy": "fd"}
"""What `<os><boot dev=…>` calls a disk of this kind; `hd` else."""


def effective(draft: Draft) -> dict[int, int]:
    """Boot indexes by `id` of the device: its own, or those of the first device of each kind `<os>` names.

    Follows: qemuProcessPrepareDeviceBootorder
    """
    named = {boot.dev: place for place, boot in enumerate(draft.domain.os.boot, start=1)}
    if not named:
        return {
            id(device): device.boot.order
            for kind in (Disk, Interface, Hostdev, Redirdev)
            for device in draft.of(kind)
            if device.boot and device.boot.order
        }
    order: dict[int, int] = {}
    for disk in draft.of(Disk):
        place = named.pop(_WANTED.get(disk.device or "disk", "hd"), None)  # type: ignore[call-overload]  # one of the words
        if place:
            order[id(disk)] = place
    nics = draft.of(Interface)
    if nics and "network" in named:
        order[id(nics[0])] = named["network"]
    return order
