"""Ports of virtio-serial controllers; a controller is added when all are full."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcaps.domainxml.address import VirtioSerialAddress
from qcaps.domainxml.codec import evolve
from qcaps.domainxml.devices import Channel, Console, Controller
from qcaps.rules.addresses.order import addressed
from qcaps.rules.refusal import Refused

if TYPE_CHECKING:
    from qcaps.domainxml.device import Device
    from qcaps.rules.draft import Draft

_DEFAULT_PORTS = 31
_EMPTY = VirtioSerialAddress(controller=0, bus=0, port=0)


class _Ports:
    """The ports of one controller as bits; bit n is port n."""

    __slots__ = ("count", "taken")

    def __init__(self, count: int) -> None:
        self.count = count
        self.taken = 0

    def free(self, first: int) -> int | None:
        """The lowest free port from `first` on."""
        rest = self.taken >> first
        port = first + (~rest & (rest + 1)).bit_length() - 1
        return port if port < self.count else None


def assign_virtio_serial(draft: Draft) -> None:
    """Gives channels and consoles their ports; port 0 is for consoles. Raises Refused.

    Follows: qemuDomainAssignVirtioSerialAddresses
    """
    consoles = [one for one in draft.of(Console) if one.target is not None and one.target.type == "virtio"]
    channels = draft.of(Channel)
    controllers = _Controllers(draft)
    for _, _, device in addressed(draft):
        if _complete(device.address):
            controllers.reserve(device.address, device)
    for console in consoles:
        if not _complete(console.address):
            # as libvirt: the search may take a port or add a controller, and the console gets neither
            controllers.take(None if console.address is None else 0, console, first=0)
    for place, channel in enumerate(channels):
        address = channel.address
        if channel.target is None or channel.target.type != "virtio" or _complete(address):
            continue
        wanted = address.controller or 0 if isinstance(address, VirtioSerialAddress) else None
        index, port = controllers.take(wanted, channel, first=1)
        channels[place] = evolve(channel, address=evolve(_EMPTY, controller=index, port=port))


# Follows: virDomainVirtioSerialAddrIsComplete
def _complete(address: object) -> bool:
    return type(address) is VirtioSerialAddress and bool(address.port)


class _Controllers:
    """The virtio-serial controllers of a draft, in order of their index."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._ports: dict[int, _Ports] = {}
        for controller in draft.of(Controller):
            if controller.type == "virtio-serial":
                index = controller.index or 0
                if index in self._ports:
                    raise Refused(f"internal error: two virtio-serial controllers {index}", controller)
                self._ports[index] = _Ports(_DEFAULT_PORTS if controller.ports is None else controller.ports)
        self._order = sorted(self._ports)
        self._next = {0: 0, 1: 0}  # by the first port wanted: where in _order a free one may be
        self._unused = 0

    def reserve(self, address: VirtioSerialAddress, device: Device) -> None:
        """Takes a port that was asked for.

        Follows: virDomainVirtioSerialAddrReserve
        """
        index, port = address.controller or 0, address.port or 0
        ports = self._ports.get(index)
        if ports is None:
            raise Refused(f"XML error: there is no virtio-serial controller {index}", device)
        if port >= ports.count:
            raise Refused(f"XML error: virtio-serial controller {index} has no port {port}", device)
        if ports.taken >> port & 1:
            raise Refused(f"XML error: port {port} of virtio-serial controller {index} is used twice", device)
        ports.taken |= 1 << port

    def take(self, wanted: int | None, device: Device, *, first: int) -> tuple[int, int]:
        """Takes the lowest free port from `first` on, of the controller `wanted` or of any.

        Follows: virDomainVirtioSerialAddrAssign
        """
        if wanted is None:
            index, port = self._any(device, first)
        else:
            index, port = wanted, self._of(wanted, device)
        if port:  # as libvirt: port 0 never counts as taken
            self._ports[index].taken |= 1 << port
        return index, port

    # Follows: virDomainVirtioSerialAddrNextFromController
    def _of(self, index: int, device: Device) -> int:
        ports = self._ports.get(index)
        if ports is None:
            raise Refused(f"internal error: there is no virtio-serial controller {index}", device)
        port = ports.free(1)
        if port is None:
            raise Refused(f"XML error: virtio-serial controller {index} has no free port", device)
        return port

    # Follows: virDomainVirtioSerialAddrNext
    def _any(self, device: Device, first: int) -> tuple[int, int]:
        if not self._ports:
            raise Refused("internal error: there is no virtio-serial controller", device)
        while self._next[first] < len(self._order):
            index = self._order[self._next[first]]
            port = self._ports[index].free(first)
            if port is not None:
                return index, port
            self._next[first] += 1
        return self._add(), first

    # Follows: virDomainVirtioSerialAddrSetAutoaddController
    def _add(self) -> int:
        while self._unused in self._ports:
            self._unused += 1
        index = self._unused
        self._ports[index] = _Ports(_DEFAULT_PORTS)
        # all others are full, so that it may stand last whatever its index
        self._order.append(index)
        self._draft.of(Controller).append(Controller(type="virtio-serial", index=index))
        return index
