"""`<panic>`: the model that the machine has; only that of ISA is a device of QEMU's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcaps.capabilities.targets import S390
from qcaps.domainxml.address import IsaAddress
from qcaps.domainxml.codec import evolve
from qcaps.domainxml.devices import Panic
from qcaps.rules.kind import Kind, Pci
from qcaps.rules.machine import is_pseries
from qcaps.rules.start.address import placed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qcaps.rules.shared.state import State
    from qcaps.rules.start.launch import Launch


def complete(state: State, panic: Panic) -> Panic:
    """The model that the machine has.

    Follows: qemuDomainDevicePanicDefPostParse
    """
    if panic.model not in (None, "default"):
        return panic
    domain = state.domain
    model = "pseries" if is_pseries(domain) else "s390" if domain.arch in S390 else "isa"
    return evolve(panic, model=model)


def panics(launch: Launch) -> Iterator[str]:
    """Panic devices that are devices; the others are the CPU's or the firmware's.

    Follows: qemuBuildPanicCommandLine
    """
    for panic in launch.of(Panic):
        if panic.model == "isa":
            port = panic.address.iobase or 0 if isinstance(panic.address, IsaAddress) else None
            yield from launch.device({"driver": "pvpanic", "ioport": port})
        elif panic.model == "pvpanic":
            yield from launch.device({"driver": "pvpanic-pci", **placed(launch, panic)})


PANIC = Kind(
    Panic,
    complete=complete,
    pci=Pci(
        flags=lambda panic, way: way.pci if panic.model == "pvpanic" else 0,
        wants=lambda panic: panic.model == "pvpanic",
    ),
)
