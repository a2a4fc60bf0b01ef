"""Registers on the virtual I/O bus of pseries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qcaps.domainxml.address import SpaprVioAddress
from qcaps.domainxml.codec import evolve
from qcaps.domainxml.devices import Controller, Interface, Nvram, Serial, Tpm
from qcaps.rules.addresses.order import addressed
from qcaps.rules.machine import is_pseries
from qcaps.rules.refusal import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from qcaps.domainxml.device import Device
    from qcaps.rules.draft import Draft

# where QEMU puts the first of each (spapr_llan.c, spapr_vscsi.c, spapr_vty.c)
_NIC = 0x1000
_SCSI = 0x2000
_NVRAM = 0x3000
_TPM = 0x4000
_SERIAL = 0x30000000
_STEP = 0x1000


def assign_spapr(draft: Draft) -> None:
    """Gives each device on the bus its register. Raises Refused where two ask for the same.

    Follows: qemuDomainAssignSpaprVIOAddresses, qemuDomainAssignSpaprVIOAddress
    """
    wanting = list(_wanting(draft))
    if not wanting:
        return
    used: dict[int, int] = {}  # how many devices say they have the register
    for _, _, device in addressed(draft):
        address = device.address
        if type(address) is SpaprVioAddress and address.reg is not None:
            used[address.reg] = used.get(address.reg, 0) + 1
    free: dict[int, int] = {}  # by the default: up to where all registers are taken
    for devices, index, default in wanting:
        device = devices[index]
        address = device.address
        if type(address) is SpaprVioAddress and address.reg is not None:
            if used[address.reg] > 1:
                raise Refused(f"XML error: spapr-vio register {address.reg:#x} is used twice", device)
            continue
        register = free.get(default, default)
        while register in used:
            register += _STEP
        used[register] = 1
        free[default] = register + _STEP
        devices[index] = evolve(device, address=SpaprVioAddress(reg=register))


def _wanting(draft: Draft) -> Iterator[tuple[list[Any], int, int]]:
    """The devices on the bus, with the register each starts from."""
    pseries = is_pseries(draft.domain)
    for kind, first, belongs in _KINDS:
        devices: list[Any] = draft.of(kind)
        for index, device in enumerate(devices):
            if type(device.address) is SpaprVioAddress or belongs(device, pseries):
                yield devices, index, first


_KINDS: tuple[tuple[type[Device], int, Callable[[Any, bool], bool]], ...] = (
    (Interface, _NIC, lambda nic, _: nic.model is not None and nic.model.type == "spapr-vlan"),
    (Controller, _SCSI, lambda one, _: one.type == "scsi" and one.model == "ibmvscsi"),
    (Serial, _SERIAL, lambda one, _: one.target is not None and one.target.type == "spapr-vio-serial"),
    (Nvram, _NVRAM, lambda _, pseries: pseries),
    (Tpm, _TPM, lambda tpm, pseries: pseries and tpm.model != "spapr-tpm-proxy"),
)
"""Kind, register of the first, and which of them belong on the bus (of a pseries)."""
