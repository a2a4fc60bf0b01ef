"""The names devices get inside QEMU; one that a user chose begins with ua- and stays."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from qcaps.domain.address import DriveAddress
from qcaps.domain.devices import (
    Channel,
    Console,
    Controller,
    Disk,
    Filesystem,
    Hostdev,
    Hub,
    Input,
    Interface,
    Iommu,
    Memballoon,
    Memory,
    Parallel,
    Redirdev,
    Rng,
    Serial,
    Shmem,
    Smartcard,
    Sound,
    Tpm,
    Video,
    Vsock,
    Watchdog,
)
from qcaps.rules.machine import has_builtin_ide, is_q35

if TYPE_CHECKING:
    from collections.abc import Callable

    from qcaps.domain.device import Device
    from qcaps.domain.domain import Domain
    from qcaps.rules.draft import Draft

    Name = Callable[["Surroundings", Device, Counter[str], int], str]

_USERS_OWN = "ua-"
_DISK_NAME = re.compile(r"(?:fd|hd|vd|sd|xvd|ubd)([a-z]+)\d*")

_BY_PLACE: dict[type[Device], str] = {
    Sound: "sound", Redirdev: "redir", Video: "video", Input: "input", Parallel: "parallel",
    Serial: "serial", Channel: "channel", Console: "console", Hub: "hub", Shmem: "shmem",
    Smartcard: "smartcard", Watchdog: "watchdog", Memballoon: "balloon", Tpm: "tpm", Vsock: "vsock",
    Iommu: "iommu",
}  # fmt: skip
"""Kinds that count all their devices, those with a name of the user's own too."""

_BY_COUNT: dict[type[Device], str] = {Filesystem: "fs", Hostdev: "hostdev", Rng: "rng"}
"""Kinds that count only the devices they give a name to."""


class Surroundings(NamedTuple):
    """What a name may depend on besides the device; `lsi` are the indexes of controllers of that model."""

    domain: Domain
    lsi: frozenset[int]


def aliases(draft: Draft) -> dict[int, str]:
    """Names by `id` of the device."""
    names: dict[int, str] = {}
    counted: Counter[str] = Counter()
    lsi = frozenset(
        one.index or 0 for one in draft.of(Controller) if one.type == "scsi" and one.model == "lsilogic"
    )
    surroundings = Surroundings(draft.domain, lsi)
    for kind, name in _NAMED.items():
        for place, device in enumerate(draft.of(kind)):
            own = device.alias.name if device.alias else None
            names[id(device)] = (
                own if own and own.startswith(_USERS_OWN) else name(surroundings, device, counted, place)
            )
    return names


def disk_index(target: str) -> int:
    """The number in a disk's name: 0 for vda, 27 for sdab, -1 for what is no such name."""
    match = _DISK_NAME.fullmatch(target)
    number = 0
    for letter in match[1] if match else "":
        number = number * 26 + ord(letter) - ord("a") + 1
    return number - 1


def _disk(given: Surroundings, device: Device, _counted: Counter[str], _place: int) -> str:
    assert isinstance(device, Disk)
    bus = device.target.bus if device.target else None
    at = device.address
    if not isinstance(at, DriveAddress):
        return f"{bus}-disk{disk_index(device.target.dev or '') if device.target else 0}"
    head = f"{bus}{at.controller or 0}-{at.bus or 0}"
    if bus != "scsi" or (at.controller or 0) in given.lsi:
        return f"{head}-{at.unit or 0}"
    return f"{head}-{at.target or 0}-{at.unit or 0}"


def _interface(_given: Surroundings, device: Device, counted: Counter[str], _place: int) -> str:
    assert isinstance(device, Interface)
    return _numbered("hostdev" if device.type == "hostdev" else "net", counted)


def _controller(given: Surroundings, device: Device, _counted: Counter[str], _place: int) -> str:
    assert isinstance(device, Controller)
    index = device.index or 0
    if device.type == "pci":
        return f"pcie.{index}" if device.model == "pcie-root" else f"pci.{index}"
    if index == 0:
        if device.type == "ide" and has_builtin_ide(given.domain):
            return "ide"
        if device.type == "sata" and is_q35(given.domain):
            return "ide"
        if device.type == "usb":
            return "usb"
        if device.type == "scsi" and device.model == "ncr53c90":
            return "scsi"
    return f"{device.type}{index}"


_MODULES = {"virtio-pmem": "virtiopmem", "virtio-mem": "virtiomem", "sgx-epc": "epc"}


def _memory(_given: Surroundings, device: Device, counted: Counter[str], _place: int) -> str:
    assert isinstance(device, Memory)
    if device.model in _MODULES:
        return _numbered(_MODULES[device.model], counted)
    slot = getattr(device.address, "slot", None)  # a module without an address takes slot 0
    return f"{device.model}{slot or 0}"


def _numbered(prefix: str, counted: Counter[str]) -> str:
    counted[prefix] += 1
    return f"{prefix}{counted[prefix] - 1}"


def _by_place(prefix: str) -> Name:
    return lambda _given, _device, _counted, place: f"{prefix}{place}"


def _by_count(prefix: str) -> Name:
    return lambda _given, _device, counted, _place: _numbered(prefix, counted)


_NAMED: dict[type[Device], Name] = {
    Disk: _disk,
    Interface: _interface,  # before Hostdev: a NIC that is a host device takes part in its count
    **{kind: _by_count(prefix) for kind, prefix in _BY_COUNT.items()},
    **{kind: _by_place(prefix) for kind, prefix in _BY_PLACE.items()},
    Controller: _controller,
    Memory: _memory,
}
