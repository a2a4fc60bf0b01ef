"""A device that has, or may get, a PCI address, while addresses are assigned."""

from __future__ import annotations

from typing import Any

from qcaps.domainxml.address import PciAddress, Zpci
from qcaps.domainxml.codec import evolve
from qcaps.rules.addresses.pci.space import At

_FULL = PciAddress(domain=0, bus=0, slot=0, function=0)


class Place:
    """Where one device of a list sits. `at` is None as long as it has no address."""

    __slots__ = ("_changed", "_devices", "_index", "at", "device", "domain", "flags", "multifunction", "zpci")

    def __init__(self, devices: list[Any], index: int, flags: int) -> None:
        self.device: Any = devices[index]
        self.flags = flags
        self.domain = 0
        self.at: At | None = None
        self.multifunction: bool | None = None
        self.zpci: Zpci | None = None
        self._devices = devices
        self._index = index
        self._changed = False
        address = self.device.address
        if type(address) is PciAddress:
            self.zpci = address.zpci
            if address.domain or address.bus or address.slot:
                self.domain = address.domain or 0
                self.at = At(address.bus or 0, address.slot or 0, address.function or 0)
                self.multifunction = address.multifunction

    @property
    def is_first(self) -> bool:
        """Whether the device is the first of its kind."""
        return self._index == 0

    def put(self, at: At, *, multifunction: bool | None = None) -> None:
        """Gives the device its address."""
        self.at = at
        if multifunction is not None:
            self.multifunction = multifunction
        self._changed = True

    def share(self) -> None:
        """Marks the first function of a slot that has more, unless the user has decided that."""
        if self.multifunction is None:
            self.multifunction = True
            self._changed = True

    def identify(self, zpci: Zpci) -> None:
        """Gives the device its identity on s390."""
        self.zpci = zpci
        self._changed = True

    def write(self) -> None:
        """Puts the device with its address back into its list."""
        if not self._changed or self.at is None:
            return
        bus, slot, function = self.at
        changes: dict[str, Any] = {"domain": self.domain, "bus": bus, "slot": slot, "function": function}
        if self.multifunction is not None:
            changes["multifunction"] = self.multifunction
        if self.zpci is not None:
            changes["zpci"] = self.zpci
        # the list's device may have gained other things since this place was made
        self._devices[self._index] = evolve(self._devices[self._index], address=evolve(_FULL, **changes))
