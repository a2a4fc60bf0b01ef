"""The names, numbers and places that a domain has taken, and how a device more gets free ones.

libvirt itself puts a SCSI disk where its name says: `sda` on controller 0, unit 0, seven to a controller. So
a disk that is added takes a name whose place is free.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from qcaps.rules.shared.names import disk_number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lxml.etree import _Element

_UNITS: Final = 7
"""Disks that libvirt puts on a SCSI controller by their known."""
_LETTERS: Final = 26
_MOST_CONTROLLERS: Final = 10_000
"""More are never there, whatever number a place is written with."""
_PREFIXES: Final = {"virtio": "vd", "ide": "hd", "fdc": "fd", "xen": "xvd"}
_MAC_BITS: Final = 48

Place = tuple[int, int]
"""Controller and unit."""


def disk_name(prefix: str, number: int) -> str:
    """The name of disk `number`: vda … vdz, vdaa …

    Follows: virIndexToDiskName
    """
    letters = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, _LETTERS)
        letters = chr(ord("a") + rest) + letters
    return prefix + letters


@dataclass
class Taken:
    """What is taken. `moved` says which controllers of the added ones got which index."""

    disks: set[str] = field(default_factory=set)
    macs: set[int] = field(default_factory=set)
    controllers: dict[str, set[int]] = field(default_factory=dict)
    places: set[Place] = field(default_factory=set)
    words: dict[str, set[str]] = field(default_factory=dict)
    moved: dict[tuple[str, int], int] = field(default_factory=dict)
    next_numbers: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, root: _Element) -> Taken:
        """What the domain has taken, also by names that imply a place."""
        known = cls()
        for disk in root.iterfind("devices/disk"):
            target = disk.find("target")
            if target is not None:
                known.disks.add(target.get("dev", ""))
        for mac in root.iterfind("devices/interface/mac"):
            known.macs.update(_mac_number(mac.get("address", "")))
        for tag, path, key in _WORDS:
            taken = known.words.setdefault(tag, set())
            taken.update(found.get(key, "") for found in root.iterfind(f"devices/{tag}/{path}"))
        known.places.update(_scsi_places(root))
        _take_controllers(root, known)
        return known

    def fit(self, device: _Element) -> None:
        """Give a device that is to be added names and numbers which nothing has, and no fixed place."""
        for tag in ("alias", "boot", "address"):
            for found in device.findall(tag):
                device.remove(found)
        fit = _FITS.get(str(device.tag))
        if fit is not None:
            fit(self, device)


def _take_controllers(root: _Element, known: Taken) -> None:
    """Every index that is written, implied by a disk's place, or that libvirt gives one without.

    Follows: virDomainDefAddDiskControllersForType, virDomainControllerFindUnusedIndex
    """
    without = []
    for controller in root.iterfind("devices/controller"):
        kind = controller.get("type", "")
        index = _whole(controller.get("index"))
        if index is None:
            without.append(kind)
        else:
            known.controllers.setdefault(kind, set()).add(index)
    for kind in without:
        taken = known.controllers.setdefault(kind, set())
        taken.add(_lowest_not_in(taken))
    if known.places:
        last = min(max(controller for controller, _ in known.places), _MOST_CONTROLLERS)
        known.controllers.setdefault("scsi", set()).update(range(last + 1))


def _scsi_places(root: _Element) -> Iterator[Place]:
    for device in [*root.iterfind("devices/disk"), *root.iterfind("devices/hostdev[@type='scsi']")]:
        target = device.find("target")
        name = target.get("dev", "") if target is not None else ""
        if device.tag == "disk" and not _is_scsi(target):
            continue
        address = device.find("address[@type='drive']")
        if address is not None:
            yield _whole(address.get("controller")) or 0, _whole(address.get("unit")) or 0
        elif (number := disk_number(name)) >= 0:
            yield divmod(number, _UNITS)
        else:
            yield 0, 0  # a host device takes the first that is free


def _is_scsi(target: _Element | None) -> bool:
    """Without a bus, the name says it.

    Follows: virDomainDiskDefPostParse
    """
    if target is None:
        return False
    bus = target.get("bus")
    return bus == "scsi" if bus else target.get("dev", "").startswith("sd")


def _fit_disk(known: Taken, disk: _Element) -> None:
    for tag in ("serial", "wwn"):
        for found in disk.findall(tag):
            disk.remove(found)
    target = disk.find("target")
    if target is None:
        return
    name = target.get("dev", "")
    bus = target.get("bus", "scsi" if name.startswith("sd") else "virtio")
    if bus == "scsi":
        _fit_scsi(known, disk, target, max(disk_number(name), 0))
    else:
        target.set("dev", _next_disk(known, _PREFIXES.get(bus, "sd"), known.disks))
    known.disks.add(target.get("dev", ""))


def _next_disk(known: Taken, prefix: str, taken: set[str]) -> str:
    """The next free disk name; where one search ended the next begins."""
    number = known.next_numbers.get(prefix, 0)
    while (name := disk_name(prefix, number)) in taken:
        number += 1
    known.next_numbers[prefix] = number + 1
    return name


def _fit_scsi(known: Taken, disk: _Element, target: _Element, number: int) -> None:
    """On the controller that came with it, or else where a name and its place are free."""
    controller, unit = divmod(number, _UNITS)
    moved = known.moved.get(("scsi", controller))
    if moved is None:
        number = known.next_numbers.get("scsi", 0)
        while disk_name("sd", number) in known.disks or divmod(number, _UNITS) in known.places:
            number += 1
        known.next_numbers["scsi"] = number + 1
        name, place = disk_name("sd", number), divmod(number, _UNITS)
    else:
        name, place = disk_name("sd", moved * _UNITS + unit), (moved, unit)
        if name in known.disks:  # another bus has it: then the place is written
            name = _next_disk(known, "sd", known.disks)
            _write_place(disk, place)
    target.set("dev", name)
    known.places.add(place)


def _write_place(disk: _Element, place: Place) -> None:
    controller, unit = map(str, place)
    address = disk.makeelement(
        "address", {"type": "drive", "controller": controller, "bus": "0", "target": "0", "unit": unit}
    )
    disk.append(address)


def _fit_controller(known: Taken, controller: _Element) -> None:
    kind = controller.get("type", "")
    taken = known.controllers.setdefault(kind, set())
    index = _lowest_not_in(taken)
    taken.add(index)
    known.moved[kind, _whole(controller.get("index")) or 0] = index
    controller.set("index", str(index))


def _fit_interface(known: Taken, interface: _Element) -> None:
    mac = interface.find("mac")
    number = next(_mac_number(mac.get("address", "")), None) if mac is not None else None
    if mac is None or number is None:
        return
    while number in known.macs:
        number = (number + 1) % (1 << _MAC_BITS)
    known.macs.add(number)
    mac.set("address", ":".join(f"{byte:02x}" for byte in number.to_bytes(_MAC_BITS // 8, "big")))


def _fit_port(_taken: Taken, device: _Element) -> None:
    """Without a number it gets the one after the highest, and those that have none yet keep theirs."""
    for target in device.findall("target"):
        target.attrib.pop("port", "")


def _fit_word(known: Taken, device: _Element) -> None:
    """A word that must be its own: as it is if that is free, else with the next number."""
    for tag, path, key in _WORDS:
        if device.tag != tag:
            continue
        taken = known.words.setdefault(tag, set())
        for found in device.iterfind(path):
            word = found.get(key)
            if word is not None:
                found.set(key, _free_word(known, word, taken))


def _free_word(known: Taken, word: str, taken: set[str]) -> str:
    stem = word.rstrip("0123456789")
    while word in taken:
        number = known.next_numbers.get(stem, 0)
        known.next_numbers[stem] = number + 1
        word = f"{stem}{number}"
    taken.add(word)
    return word


_WORDS: Final = (
    ("channel", "target[@name]", "name"),
    ("filesystem", "target[@dir]", "dir"),
    ("shmem", ".", "name"),
    ("audio", ".", "id"),
)
"""Kinds whose devices are told apart by a word: where it stands."""

_FITS: Final[dict[str, Callable[[Taken, _Element], None]]] = {
    "disk": _fit_disk,
    "controller": _fit_controller,
    "interface": _fit_interface,
    "serial": _fit_port,
    "parallel": _fit_port,
    "console": _fit_port,
    "channel": _fit_word,
    "filesystem": _fit_word,
    "shmem": _fit_word,
    "audio": _fit_word,
}


def _mac_number(text: str) -> Iterator[int]:
    """The address as a number, if it is one."""
    digits = text.replace(":", "").replace("-", "")
    try:
        if len(digits) == _MAC_BITS // 4:
            yield int(digits, 16)
    except ValueError:
        return


def _whole(text: str | None) -> int | None:
    try:
        return int(text or "", 0)
    except ValueError:
        return None


def _lowest_not_in(taken: set[int]) -> int:
    index = 0
    while index in taken:
        index += 1
    return index
