"""One PCI bus: what may be plugged into it, and which functions of its slots are taken."""

from __future__ import annotations

from typing import NamedTuple

from qcaps.rules.addresses.pci import flags as f

_LAST_SLOT = 31
_ALL_FUNCTIONS = 0xFF


class Model(NamedTuple):
    """What a controller model offers downstream; `hotplug` unless its target turns that off."""

    flags: int
    first: int
    last: int
    hotplug: bool


_CONVENTIONAL = f.AUTOASSIGN | f.PCI | f.PCI_BRIDGE
_PORT = f.AUTOASSIGN | f.PCIE | f.UPSTREAM | f.PCIE_BRIDGE

MODELS = {
    "pci-root": Model(_CONVENTIONAL | f.EXPANDER, 1, _LAST_SLOT, hotplug=True),
    "pci-bridge": Model(_CONVENTIONAL, 1, _LAST_SLOT, hotplug=True),
    "pci-expander-bus": Model(_CONVENTIONAL, 0, _LAST_SLOT, hotplug=True),
    "pcie-root": Model(f.PCIE | f.ROOT_PORT | f.DMI_BRIDGE | f.PCIE_EXPANDER, 1, _LAST_SLOT, hotplug=False),
    "dmi-to-pci-bridge": Model(f.PCI | f.PCI_BRIDGE, 0, _LAST_SLOT, hotplug=False),
    "pcie-to-pci-bridge": Model(_CONVENTIONAL, 1, _LAST_SLOT, hotplug=True),
    "pcie-root-port": Model(_PORT, 0, 0, hotplug=True),
    "pcie-switch-downstream-port": Model(_PORT, 0, 0, hotplug=True),
    "pcie-switch-upstream-port": Model(f.DOWNSTREAM, 0, _LAST_SLOT, hotplug=False),
    "pcie-expander-bus": Model(f.ROOT_PORT | f.DMI_BRIDGE, 0, _LAST_SLOT, hotplug=False),
}


class Bus:
    """The slots of one bus; a bit of `functions[slot]` is a function in use."""

    __slots__ = ("first", "flags", "functions", "last", "model", "shared")

    # Follows: virDomainPCIAddressBusSetModel
    def __init__(self, model: str, *, hotplug: bool = True) -> None:
        offer = MODELS[model]
        self.model = model
        self.flags = offer.flags | (f.HOTPLUG if offer.hotplug and hotplug else 0)
        self.first = offer.first
        self.last = offer.last
        self.functions = bytearray(_LAST_SLOT + 1)
        self.shared = 0
        """A bit for each slot whose first device may share it."""

    def free(self, start: int, flags: int) -> tuple[int, int] | None:
        """The first slot from `start` on with room for a device of `flags`, and its lowest free function.

        Follows: virDomainPCIAddressFindUnusedFunctionOnBus
        """
        start = max(start, self.first)
        if not flags & f.SHARES_SLOT:
            slot = self.functions.find(0, start, self.last + 1)
            return None if slot < 0 else (slot, 0)
        for slot in range(start, self.last + 1):
            taken = self.functions[slot]
            if not taken:
                return slot, 0
            if self.shared >> slot & 1 and taken != _ALL_FUNCTIONS:
                return slot, (~taken & (taken + 1)).bit_length() - 1
        return None

    def take(self, slot: int, function: int, flags: int) -> None:
        """Marks a function as used."""
        if flags & f.SHARES_SLOT and not self.functions[slot]:
            self.shared |= 1 << slot
        self.functions[slot] |= 1 << function

    @property
    def full(self) -> bool:
        """Whether each slot has a device.

        Follows: virDomainPCIAddressBusIsFullyReserved
        """
        return self.functions.find(0, self.first, self.last + 1) < 0
