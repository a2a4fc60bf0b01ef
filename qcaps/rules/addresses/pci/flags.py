"""What a PCI device needs of a bus, and a bus offers, as bits of one integer."""

from __future__ import annotations

AUTOASSIGN = 1 << 0
"""A device may be put here without being asked for."""
HOTPLUG = 1 << 1
INTEGRATED = 1 << 2
"""The device sits on bus 0 and nowhere else."""
SHARES_SLOT = 1 << 3
"""Eight such devices fit into one slot, one a function."""

PCI = 1 << 4
PCIE = 1 << 5
ROOT_PORT = 1 << 6
UPSTREAM = 1 << 7
DOWNSTREAM = 1 << 8
DMI_BRIDGE = 1 << 9
EXPANDER = 1 << 10
PCIE_EXPANDER = 1 << 11
PCI_BRIDGE = 1 << 12
PCIE_BRIDGE = 1 << 13

ENDPOINTS = PCI | PCIE

NAMES = {
    PCI: "standard PCI device",
    PCIE: "PCI Express device",
    ROOT_PORT: "pcie-root-port",
    UPSTREAM: "pcie-switch-upstream-port",
    DOWNSTREAM: "pcie-switch-downstream-port",
    DMI_BRIDGE: "dmi-to-pci-bridge",
    PCIE_BRIDGE: "pcie-to-pci-bridge",
    EXPANDER: "pci-expander-bus",
    PCIE_EXPANDER: "pcie-expander-bus",
    PCI_BRIDGE: "pci-bridge",
}
"""Each kind of connection, in the order in which a device's own is named in an error."""

KINDS = sum(NAMES)


def name_of(flags: int) -> str:
    """The kind of connection that `flags` ask for, in words."""
    return next((name for kind, name in NAMES.items() if flags & kind), "connection of no known kind")
