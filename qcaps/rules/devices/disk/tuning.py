"""`<iotune>`: limits on a disk's throughput."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcaps.rules.refusal import Refused
from qcaps.rules.shared.refuse import malformed, unsupported

if TYPE_CHECKING:
    from qcaps.domainxml.devices import Disk
    from qcaps.domainxml.devices.disk import DiskIotune
    from qcaps.rules.shared.guest import Guest

LARGEST = 1_000_000_000_000_000
"""The largest limit that QEMU's throttling takes."""

_SUMS = ("bytes_sec", "iops_sec", "bytes_sec_max", "iops_sec_max")
_LIMITS = (*(f"{way}_{sum_}" for way in ("total", "read", "write") for sum_ in _SUMS), "size_iops_sec")
_LENGTHS = tuple(f"{way}_{sum_}_length" for way in ("total", "read", "write") for sum_ in _SUMS[2:])


def has_throttle(disk: Disk) -> bool:
    """Whether any limit is set; a group alone limits nothing."""
    return disk.iotune is not None and any(getattr(disk.iotune, name) for name in (*_LIMITS, *_LENGTHS))


def check_throttle_pairs(disk: Disk) -> None:
    """A total limit does not go with one for reading or writing.

    Follows: virDomainDiskDefValidate
    """
    iotune = disk.iotune
    if iotune is None:
        return
    for name in _SUMS:
        total, read, write = (getattr(iotune, f"{way}_{name}") for way in ("total", "read", "write"))
        if total and (read or write):
            raise malformed(f"total_{name} does not go with read_{name} or write_{name}", iotune)


def check_throttle(disk: Disk, guest: Guest) -> None:
    """Limits that QEMU takes, and the same ones for all disks of a group.

    Follows: qemuValidateDomainDeviceDefDiskBlkdeviotune
    """
    iotune = disk.iotune
    if iotune is None:
        return
    if iotune.group_name:
        if not has_throttle(disk):
            raise unsupported("a group_name needs limits", iotune)
        first = guest.throttle_groups.setdefault(iotune.group_name, iotune)
        if first is not iotune and _limits(first) != _limits(iotune):
            raise unsupported(f"the disks of group '{iotune.group_name}' have different limits", iotune)
    for name in _LIMITS:
        if (getattr(iotune, name) or 0) > LARGEST:
            raise Refused(f"{name} is above {LARGEST}, the most that QEMU takes", iotune)


def _limits(iotune: DiskIotune) -> tuple[int, ...]:
    return tuple(getattr(iotune, name) or 0 for name in (*_LIMITS, *_LENGTHS))
