"""USB ports; hubs are added when the controllers have too few.

First fit: the lowest bus with a free port, on it the hub that comes first in the order of port paths, a hub
before those behind it. The hubs with free ports wait in a heap in that order.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Any

from qcaps.domainxml.address import UsbAddress
from qcaps.domainxml.codec import evolve
from qcaps.domainxml.devices import Controller, Disk, Hostdev, Hub, Input, Interface, Redirdev, Serial, Sound
from qcaps.domainxml.devices.on_host import HostUsbAddress
from qcaps.rules.addresses.given import ports
from qcaps.rules.refusal import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qcaps.domainxml.device import Device
    from qcaps.rules.draft import Draft

_HUB_PORTS = 8
_DEPTH = 4
_PORTS = {
    None: 2, "piix3-uhci": 2, "piix4-uhci": 2, "vt82c686b-uhci": 2,
    "ehci": 6, "ich9-ehci1": 6,
    "pci-ohci": 3,
    "nec-xhci": 4, "qemu-xhci": 4,
    "qusb1": 8, "qusb2": 8,
}  # fmt: skip
"""The ports of each controller model; the companions of a USB 2 controller share its six."""
_COUNTED = ("nec-xhci", "qemu-xhci", "qusb1", "qusb2")
"""Models whose number of ports the user may set."""

_EMPTY = UsbAddress(bus=0, port="")

_Path = tuple[int, ...]
_Item = tuple[list[Any], int]


def assign_usb(draft: Draft, *, new: bool) -> None:
    """Gives each USB device its port. Raises Refused when there is no USB or no port.

    Follows: qemuDomainAssignUSBAddresses
    """
    devices = list(_devices(draft))
    hubs: list[Hub] = draft.of(Hub)
    usb_hubs: list[_Item] = [(hubs, index) for index, hub in enumerate(hubs) if hub.type == "usb"]
    if not new and not all(_path(items[index]) for items, index in [*usb_hubs, *devices]):
        return
    controllers = [one for one in draft.of(Controller) if one.type == "usb"]
    _add_hubs(hubs, usb_hubs, devices, controllers)
    buses = _Buses(controllers)
    _reserve_given(usb_hubs, devices, buses)
    for items, index in usb_hubs:
        if not _path(items[index]):
            bus, path = _assign(items, index, buses)
            buses.add_hub(bus, path, items[index], taken=True)
    for items, index in devices:
        if items[index].address is None or (_is_usb(items[index]) and not _path(items[index])):
            _assign(items, index, buses)


# Follows: qemuDomainUSBAddressAddHubs
def _add_hubs(
    hubs: list[Hub], usb_hubs: list[_Item], devices: list[_Item], controllers: list[Controller]
) -> None:
    count = len(devices) + len(usb_hubs)
    if count and all(one.model == "none" for one in controllers):
        items, index = (usb_hubs or devices)[0]
        raise Refused("unsupported configuration: the domain has USB devices and no USB bus", items[index])
    available = sum(map(_ports, controllers)) + _HUB_PORTS * len(usb_hubs)
    if count > available:
        # each further hub takes a port and brings eight
        missing = -(-(count - available + 1) // (_HUB_PORTS - 1))
        usb_hubs += [(hubs, len(hubs) + number) for number in range(missing)]
        hubs.extend(Hub(type="usb") for _ in range(missing))


def _reserve_given(usb_hubs: list[_Item], devices: list[_Item], buses: _Buses) -> None:
    for items, index in usb_hubs:
        if path := _path(items[index]):
            buses.add_hub(_bus(items[index]), path, items[index])
    for items, index in devices:
        if path := _path(items[index]):
            buses.reserve(_bus(items[index]), path, items[index])


def _devices(draft: Draft) -> Iterator[_Item]:
    """The USB devices in libvirt's order, hubs excepted."""
    nics = draft.of(Interface)
    yield from ((nics, index) for index, nic in enumerate(nics) if _hostdev_interface(nic))
    hostdevs = draft.of(Hostdev)
    yield from ((hostdevs, index) for index, one in enumerate(hostdevs) if one.type == "usb")
    disks = draft.of(Disk)
    yield from ((disks, index) for index, one in enumerate(disks) if one.target and one.target.bus == "usb")
    controllers = draft.of(Controller)
    yield from ((controllers, index) for index, one in enumerate(controllers) if one.type == "ccid")
    inputs = draft.of(Input)
    yield from ((inputs, index) for index, one in enumerate(inputs) if one.bus == "usb")
    serials = draft.of(Serial)
    for index, serial in enumerate(serials):
        if serial.target is not None and serial.target.type == "usb-serial":
            yield serials, index
    sounds = draft.of(Sound)
    yield from ((sounds, index) for index, one in enumerate(sounds) if one.model == "usb")
    redirdevs = draft.of(Redirdev)
    yield from ((redirdevs, index) for index, one in enumerate(redirdevs) if one.bus == "usb")


def _hostdev_interface(nic: Interface) -> bool:
    if nic.type != "hostdev" or nic.source is None:
        return False
    return isinstance(nic.source.host_address, HostUsbAddress)


def _is_usb(device: Device) -> bool:
    return type(device.address) is UsbAddress


def _path(device: Device) -> _Path:
    """The ports of the device's USB address; () if it has none."""
    address = device.address
    return ports(address.port, device) if type(address) is UsbAddress else ()


def _bus(device: Device) -> int:
    address = device.address
    return address.bus or 0 if type(address) is UsbAddress else 0


# Follows: virDomainUSBAddressControllerModelToPorts
def _ports(controller: Controller) -> int:
    if controller.model in _COUNTED and controller.ports is not None:
        return controller.ports
    return _PORTS.get(controller.model, 0)


# Follows: virDomainUSBAddressAssign
def _assign(items: list[Any], index: int, buses: _Buses) -> tuple[int, _Path]:
    device = items[index]
    bus, path = buses.take(_bus(device) if _is_usb(device) else None, device)
    address = evolve(_EMPTY, bus=bus, port=".".join(map(str, path)))
    items[index] = evolve(device, address=address)
    return bus, path


class _Hub:
    """The ports of a hub or of a controller's root hub; bit n of `taken` is port n + 1."""

    __slots__ = ("count", "hubs", "path", "taken")

    def __init__(self, path: _Path, count: int) -> None:
        self.path = path
        self.count = count
        self.taken = 0
        self.hubs: dict[int, _Hub] = {}

    def free(self) -> int | None:
        """The lowest free port."""
        port = (~self.taken & (self.taken + 1)).bit_length()
        return port if port <= self.count else None


class _Buses:
    """The USB buses by index."""

    def __init__(self, controllers: list[Controller]) -> None:
        self._roots: dict[int, _Hub] = {}
        self._open: dict[int, list[tuple[_Path, _Hub]]] = {}
        for controller in controllers:
            count = _ports(controller)
            if not count:
                continue
            index = controller.index or 0
            if index in self._roots:
                raise Refused(f"XML error: two USB controllers have the index {index}", controller)
            root = self._roots[index] = _Hub((), count)
            self._open[index] = [((), root)]
        self._order = sorted(self._roots)
        self._next = 0

    def reserve(self, bus: int, path: _Path, device: Device) -> None:
        """Takes a port that was asked for.

        Follows: virDomainUSBAddressReserve
        """
        hub = self._hub(bus, path, device)
        if hub.taken >> path[-1] - 1 & 1:
            raise Refused(f"XML error: USB port {_show(path)} of bus {bus} is used twice", device)
        hub.taken |= 1 << path[-1] - 1

    def add_hub(self, bus: int, path: _Path, device: Device, *, taken: bool = False) -> None:
        """Plugs a hub in; `taken` if its port has been taken already.

        Follows: virDomainUSBAddressSetAddHub
        """
        parent = self._hub(bus, path, device)
        port = path[-1]
        if port in parent.hubs:
            raise Refused(f"XML error: two USB hubs are at port {_show(path)} of bus {bus}", device)
        if not taken:
            parent.taken |= 1 << port - 1
        hub = parent.hubs[port] = _Hub(path, _HUB_PORTS)
        if len(path) < _DEPTH:
            heapq.heappush(self._open[bus], (path, hub))

    def take(self, wanted: int | None, device: Device) -> tuple[int, _Path]:
        """Takes the first free port, of the bus `wanted` or of any.

        Follows: virDomainUSBAddressAssign, virDomainUSBAddressAssignFromBus
        """
        if wanted is not None:
            if wanted not in self._roots:
                raise Refused(f"XML error: there is no USB controller for bus {wanted}", device)
            path = self._take(wanted)
            if path is not None:
                return wanted, path
        else:
            while self._next < len(self._order):
                bus = self._order[self._next]
                path = self._take(bus)
                if path is not None:
                    return bus, path
                self._next += 1
        raise Refused("internal error: no USB port is free", device)

    def _take(self, bus: int) -> _Path | None:
        waiting = self._open[bus]
        while waiting:
            hub = waiting[0][1]
            port = hub.free()
            if port is not None:
                hub.taken |= 1 << port - 1
                return (*hub.path, port)
            heapq.heappop(waiting)
        return None

    def _hub(self, bus: int, path: _Path, device: Device) -> _Hub:
        """The hub whose port ends the path.

        Follows: virDomainUSBAddressFindPort
        """
        hub = self._roots.get(bus)
        if hub is None:
            raise Refused(f"XML error: there is no USB bus {bus}", device)
        for port in path[:-1]:
            if port > hub.count:
                raise Refused(f"XML error: port {port} of USB port {_show(path)} does not exist", device)
            behind = hub.hubs.get(port)
            if behind is None:
                raise Refused(f"XML error: no USB hub is at port {port} of {_show(path)}", device)
            hub = behind
        if path[-1] > hub.count:
            raise Refused(f"XML error: USB bus {bus} has no port {_show(path)}", device)
        return hub


def _show(path: _Path) -> str:
    return ".".join(map(str, path))
