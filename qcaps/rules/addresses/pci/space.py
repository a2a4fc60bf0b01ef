"""The PCI buses of a domain, and where the next device goes.

First fit: the lowest bus, slot and function that suit. A slot that cannot take a device of some flags never
can later, since nothing is given back while addresses are assigned. So each set of flags keeps its own place
to go on from, and all searches together pass over each slot once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, NoReturn

from qcaps.rules.addresses.pci import flags as f
from qcaps.rules.addresses.pci.bus import Bus
from qcaps.rules.refusal import Refused

if TYPE_CHECKING:
    from qcaps.domainxml.codec import Element

_LAST_FUNCTION = 7


class At(NamedTuple):
    """A function of a slot of a bus, all in domain 0."""

    bus: int
    slot: int
    function: int = 0

    def __str__(self) -> str:
        return f"0000:{self.bus:02x}:{self.slot:02x}.{self.function:x}"


class Space:
    """Buses by index. While `planning` the space grows where a device finds no room."""

    def __init__(self, *, planning: bool, many_roots: bool, pcie_bridges: bool) -> None:
        self.buses: list[Bus] = []
        self.planning = planning
        self._many_roots = many_roots
        self._pcie_bridges = pcie_bridges
        self._next: dict[int, tuple[int, int]] = {}
        self._takes_bridges = False

    def add(self, bus: Bus) -> None:
        """Appends a bus; its index is its place in `buses`."""
        self.buses.append(bus)
        self._takes_bridges = self._takes_bridges or bool(bus.flags & f.PCI_BRIDGE)

    def in_use(self, at: At) -> bool:
        """Whether any function of that slot is taken.

        Follows: virDomainPCIAddressSlotInUse
        """
        return bool(self.buses[at.bus].functions[at.slot])

    def reserve(self, at: At, flags: int, device: Element | None, *, domain: int = 0) -> At:
        """Takes an address that was asked for; the answer differs only where a bus had to come before it.

        Follows: virDomainPCIAddressReserveAddr
        """
        if self.planning and at.bus >= len(self.buses):
            at = at._replace(bus=self._grow(at.bus, flags, device))
        self.check(at, flags, device, domain=domain)
        bus = self.buses[at.bus]
        if bus.functions[at.slot] >> at.function & 1:
            raise Refused(f"XML error: PCI address {at} is used twice", device)
        bus.take(at.slot, at.function, flags)
        return at

    def reserve_next(self, flags: int, device: Element | None, function: int = 0) -> At:
        """Takes the first address that suits, or `function` of an empty slot. Raises Refused.

        Follows: virDomainPCIAddressReserveNextAddr
        """
        if not self.buses:
            raise Refused("XML error: the domain has no PCI bus", device)
        at = self._find(flags, function)
        if at is None:
            if not self.planning:
                raise Refused("internal error: no PCI slot is left", device)
            number = self._grow(len(self.buses), flags, device)
            at = At(number, self.buses[number].first, function)
            self._check_fit(at, flags, device, given=False)
        self.buses[at.bus].take(at.slot, at.function, flags)
        return at

    def check(self, at: At, flags: int, device: Element | None, *, domain: int = 0) -> None:
        """Raises Refused unless an address that was asked for exists and suits the device.

        Follows: virDomainPCIAddressValidate
        """
        if not self.buses:
            raise Refused("XML error: the domain has no PCI bus", device)
        if domain:
            raise Refused(f"XML error: PCI address {domain:04x}{str(at)[4:]} is not in domain 0", device)
        if at.bus >= len(self.buses):
            last = len(self.buses) - 1
            raise Refused(f"XML error: PCI address {at}: the last bus is {last}", device)
        self._check_fit(at, flags, device, given=True)
        bus = self.buses[at.bus]
        if not bus.first <= at.slot <= bus.last:
            allowed = f"{bus.first} to {bus.last}"
            raise Refused(f"XML error: PCI address {at}: slots of that bus are {allowed}", device)
        if at.function > _LAST_FUNCTION:
            raise Refused(f"XML error: PCI address {at}: functions are 0 to {_LAST_FUNCTION}", device)

    # Follows: virDomainPCIAddressGetNextAddr
    def _find(self, flags: int, function: int) -> At | None:
        number, start = self._next.get(flags, (0, 0))
        buses = self.buses
        while number < len(buses):
            bus = buses[number]
            if _misfit(bus.flags, number, flags, given=False) is None:
                found = bus.free(start, flags)
                if found is not None:
                    self._next[flags] = (number, found[0])
                    return At(number, found[0], found[1] or function)
            number += 1
            start = 0
        self._next[flags] = (number, 0)
        return None

    def _check_fit(self, at: At, flags: int, device: Element | None, *, given: bool) -> None:
        why = _misfit(self.buses[at.bus].flags, at.bus, flags, given=given)
        if why is not None:
            error = "XML" if given else "internal"
            raise Refused(f"{error} error: the device at PCI address {at} {why}", device)

    def _grow(self, number: int, flags: int, device: Element | None) -> int:
        """Adds buses up to `number`; the bus for the device, one further if an adapter has to come first.

        Follows: virDomainPCIAddressSetGrow
        """
        adapters: tuple[Bus, ...] = ()
        if flags & f.PCI:
            model = "pci-root" if self._many_roots else "pci-bridge"
            if not self._many_roots and not self._takes_bridges:
                adapters = self._adapters()
                number = max(number, len(self.buses) + 1)
        elif flags & (f.PCIE | f.UPSTREAM):
            model = "pcie-root-port"
        else:
            _refuse_growth(flags, device)
        for bus in adapters[: number + 1 - len(self.buses)]:
            self.add(bus)
        while len(self.buses) <= number:
            self.add(Bus(model))
        return number

    def _adapters(self) -> tuple[Bus, ...]:
        """What leads from a domain of PCI Express only to its first conventional bus."""
        if not self._pcie_bridges:
            return (Bus("dmi-to-pci-bridge", hotplug=False),)
        port = Bus("pcie-root-port")
        # kept for the bridge: it must not take the device that a spare port is added for
        port.flags = f.PCIE_BRIDGE
        return port, Bus("pcie-to-pci-bridge")


def _misfit(offer: int, number: int, flags: int, *, given: bool) -> str | None:
    """Why a bus that offers `offer` does not suit a device of `flags`; None if it does.

    An address that was asked for may mix conventional PCI and Express, which libvirt never does by itself.

    Follows: virDomainPCIAddressFlagsCompatible
    """
    if flags & f.INTEGRATED:
        if number:
            return "has to be an integrated device, on bus 0"
        offer |= f.AUTOASSIGN
    if given:
        if offer & f.ENDPOINTS:
            offer |= f.ENDPOINTS
        if flags & f.PCI_BRIDGE:
            flags |= f.PCI
    elif flags & f.AUTOASSIGN and not offer & f.AUTOASSIGN:
        return f"was chosen for it, but the PCI controller with index {number} takes no device unasked"
    if flags & f.HOTPLUG and not offer & f.HOTPLUG:
        return f"needs hotplug, which the PCI controller with index {number} does not offer"
    if not flags & offer & f.KINDS:
        needed = f.name_of(flags)
        return f"does not fit the PCI controller with index {number}; it needs one that accepts a {needed}"
    return None


def _refuse_growth(flags: int, device: Element | None) -> NoReturn:
    wanted = next((name for kind, name in f.NAMES.items() if flags & kind), None)
    if wanted is None:
        raise Refused("internal error: the device is no PCI device, and no bus can be added for it", device)
    raise Refused(
        f"internal error: no PCI slot is left for a controller of model '{wanted}', "
        "and no bus that has one can be added",
        device,
    )
