"""What happens to one kind of device: a record of functions, each called by one pass over all devices.

The passes (post-parse, validation, addresses, aliases) look up a device's kind and call what its record
holds; None means that libvirt does nothing there. They stay passes over *all* devices, one after the other:
the order of lookups hangs on it. A kind's arguments for QEMU are functions of its module, named in
`start/command_line.py`: one kind may have several, far apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from qcaps.domainxml.device import Device

if TYPE_CHECKING:
    from collections.abc import Callable

    from qcaps.capabilities.model import Capabilities
    from qcaps.domainxml.domain import Domain
    from qcaps.rules.shared.alias import Alias
    from qcaps.rules.shared.guest import Guest
    from qcaps.rules.shared.pci import Ways
    from qcaps.rules.shared.state import State

D = TypeVar("D", bound=Device)


@dataclass(frozen=True)
class Pci(Generic[D]):
    """How a kind connects to PCI: the `flags` of a device (0: not), and whether it `wants` an address."""

    flags: Callable[[D, Ways], int]
    wants: Callable[[D], bool]


@dataclass(frozen=True)
class Kind(Generic[D]):
    """One device kind; the class of its declaration, and what libvirt does to it."""

    device: type[D]
    refuse_read: Callable[[D], None] | None = None
    """What libvirt's parser refuses within one device."""
    read: Callable[[Domain, D], D] | None = None
    """What libvirt's parser fills in."""
    complete: Callable[[State, D], D] | None = None
    """What the post-parse callbacks fill in, the driver's first."""
    refuse: Callable[[D, Guest], None] | None = None
    """What no hypervisor can do; asked before capabilities are looked up."""
    refuse_by_qemu: Callable[[D, Guest, Capabilities], None] | None = None
    """What QEMU, or this QEMU, cannot do."""
    pci: Pci[D] | None = None
    on_virtio_bus: Callable[[D], bool] | None = None
    """Whether the device takes the bus of a machine that has one of its own for virtio (CCW, virtio-mmio)."""
    alias: Alias[D] | None = None
    """Its name inside QEMU."""
    identity: Callable[[D], object] | None = None
    """What tells two devices of the kind apart when one is attached; None: all it says."""
    boots: bool = False
    """Whether `<boot order=…>` is looked at."""
    has_rom: bool = False
    """Whether `<rom>` is looked at."""


AnyKind = Kind[Any]
