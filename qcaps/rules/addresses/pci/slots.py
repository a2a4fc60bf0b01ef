"""Gives a PCI address to each device without one, kind by kind in libvirt's order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qcaps.domainxml.address import CcwAddress, PciAddress, VirtioMmioAddress
from qcaps.domainxml.devices import (
    Controller,
    Disk,
    Hostdev,
    Interface,
)
from qcaps.rules import orders
from qcaps.rules.addresses.order import of_kind
from qcaps.rules.addresses.pci.connect import connection
from qcaps.rules.addresses.pci.place import Place
from qcaps.rules.refusal import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from qcaps.domainxml.device import Device
    from qcaps.rules.addresses.pci.space import Space
    from qcaps.rules.draft import Draft
    from qcaps.rules.shared.pci import Ways

USB2_FUNCTIONS = {
    "ich9-ehci1": (7, None),
    "ich9-uhci1": (0, True),
    "ich9-uhci2": (1, None),
    "ich9-uhci3": (2, None),
}
"""The function of each part of a USB 2 controller in their common slot, and its multifunction mark."""

_WANTS: Mapping[type[Device], Callable[[Any], bool]] = {
    kind.device: kind.pci.wants for kind in orders.WRITTEN if kind.pci is not None
}
_IN_ORDER = tuple(kind.device for kind in orders.PCI)


class Places:
    """The places of a domain, by kind; `all` has them in the order in which given addresses are collected."""

    def __init__(self, draft: Draft, ways: Ways, *, mmio: bool) -> None:
        self.by_kind: dict[type[Device], list[Place]] = {}
        self.host: list[Place] = []
        """Interfaces that pass a host device through, which sit among the host devices and before them."""
        self._ways = ways
        for kind in (one.device for one in orders.ADDRESSED):
            if places := self._of(draft, kind):
                self.by_kind[kind] = places
        for disk in draft.of(Disk):
            _check_disk(disk, mmio=mmio)
        nics = self.by_kind.get(Interface, [])
        self.host.extend(place for place in nics if getattr(place.device, "type", "") == "hostdev")

    def _of(self, draft: Draft, kind: type[Device]) -> list[Place]:
        wants = _WANTS.get(kind)
        places = []
        for devices, index in of_kind(draft, kind):
            device = devices[index]
            address = device.address
            if address is None:
                # those that get none in the walk may still be parts of the chipset
                if wants is None or not (kind is Controller or wants(device)):
                    continue
            elif type(address) is not PciAddress:
                continue
            places.append(Place(devices, index, connection(device, self._ways)))
        return places

    def of(self, kind: type[Device]) -> list[Place]:
        """The places of one kind."""
        return self.by_kind.get(kind, [])

    def all(self) -> Iterable[Place]:
        """All places."""
        for places in self.by_kind.values():
            yield from places

    def add(self, controllers: list[Controller], controller: Controller) -> Place:
        """Appends a controller to its list, and its place."""
        controllers.append(controller)
        place = Place(controllers, len(controllers) - 1, connection(controller, self._ways))
        self.by_kind.setdefault(Controller, []).append(place)
        return place

    def sort_controllers(self) -> None:
        """From now on controllers are gone over by index, whatever their place in the list."""
        self.by_kind.get(Controller, []).sort(key=_index)


def _index(place: Place) -> int:
    device = place.device
    return (device.index or 0) if isinstance(device, Controller) and device.type == "pci" else -1


def _check_disk(disk: Disk, *, mmio: bool) -> None:
    address = disk.address
    if address is None or disk.target is None or disk.target.bus != "virtio":
        return
    if isinstance(address, (PciAddress, CcwAddress)) or (mmio and isinstance(address, VirtioMmioAddress)):
        return
    raise Refused(f"unsupported configuration: '{address.type}' is no address for a virtio disk", disk)


def assign_slots(places: Places, space: Space) -> None:
    """Takes an address for each device that needs one; remembered only if the space is not planning.

    Follows: qemuDomainAssignDevicePCISlots
    """
    keep = not space.planning
    controllers = places.of(Controller)
    _assign((place for place in controllers if place.device.type == "pci"), space, keep=keep)
    for kind in _IN_ORDER:
        if kind is Controller:
            others = [place for place in controllers if place.device.type != "pci"]
            _assign_controllers(others, space, keep=keep)
        elif kind is Interface:
            _assign((p for p in places.of(Interface) if p.device.type != "hostdev"), space, keep=keep)
        elif kind is Hostdev:
            _assign(places.host, space, keep=keep)
            _assign(places.of(Hostdev), space, keep=keep)
        else:
            _assign(places.of(kind), space, keep=keep)


def _assign(places: Iterable[Place], space: Space, *, keep: bool) -> None:
    for place in places:
        device = place.device
        if place.at is None and _WANTS[type(device)](device):
            at = space.reserve_next(place.flags, device)
            if keep:
                place.put(at)


def _assign_controllers(places: list[Place], space: Space, *, keep: bool) -> None:
    usb2: dict[int, list[Place]] = {}
    for place in places:
        if _usb2(place) is not None:
            usb2.setdefault(place.device.index or 0, []).append(place)
    for place in places:
        part = _usb2(place)
        if part is None:
            _assign((place,), space, keep=keep)
        elif place.at is None:
            _assign_companion(place, part, usb2[place.device.index or 0], space, keep=keep)


def _usb2(place: Place) -> tuple[int, bool | None] | None:
    device = place.device
    return USB2_FUNCTIONS.get(device.model or "") if device.type == "usb" else None


def _assign_companion(
    place: Place, part: tuple[int, bool | None], parts: list[Place], space: Space, *, keep: bool
) -> None:
    """Puts the parts of one USB 2 controller into one slot: that of the first that has an address."""
    function, multifunction = part
    at = next((other.at for other in parts if other.at is not None), None)
    if at is not None:
        at = space.reserve(at._replace(function=function), place.flags, place.device)
        place.put(at, multifunction=multifunction)  # as libvirt: kept even when only planning
        return
    at = space.reserve_next(place.flags, place.device, function)
    if keep:
        place.put(at, multifunction=multifunction)
