"""Gives every device that needs one an address, and adds the controllers, hubs and buses that takes.

The result is libvirt's (first fit, in its order); the cost is linear in the number of devices.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcaps.domainxml.codec import evolve
from qcaps.domainxml.devices import Console, Serial
from qcaps.rules.addresses.ccw import assign_ccw
from qcaps.rules.addresses.dimm import assign_dimm
from qcaps.rules.addresses.given import check_given
from qcaps.rules.addresses.mmio import assign_mmio
from qcaps.rules.addresses.order import has_twin
from qcaps.rules.addresses.pci.assign import assign_pci
from qcaps.rules.addresses.spapr import assign_spapr
from qcaps.rules.addresses.usb import assign_usb
from qcaps.rules.addresses.virtio_serial import assign_virtio_serial

if TYPE_CHECKING:
    from qcaps.capabilities.model import Capabilities
    from qcaps.rules.draft import Draft


def assign_addresses(draft: Draft, caps: Capabilities, *, new: bool = True) -> None:
    """Assigns the addresses of a draft after its post-parse. Raises Refused.

    Drive addresses of disks are post-parse's own. `new` is False for a domain that may be running already:
    its USB devices keep what they have unless all of them have an address.

    Follows: qemuDomainAssignAddresses
    """
    check_given(draft)
    assign_virtio_serial(draft)
    assign_spapr(draft)
    assign_ccw(draft, caps)
    assign_mmio(draft, caps)
    assign_pci(draft, caps)
    assign_usb(draft, new=new)
    assign_dimm(draft)
    _show_in_twin(draft)


def _show_in_twin(draft: Draft) -> None:
    """The console that is the first serial port by another name has its address."""
    consoles, serials = draft.of(Console), draft.of(Serial)
    if serials and has_twin(draft) and consoles[0].address != serials[0].address:
        consoles[0] = evolve(consoles[0], address=serials[0].address)
