"""`<nvram>`: where a pSeries guest keeps its settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcaps.domainxml.address import SpaprVioAddress
from qcaps.domainxml.devices import Nvram
from qcaps.rules.kind import Kind
from qcaps.rules.shared.refuse import malformed, need, unsupported

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qcaps.capabilities.model import Capabilities
    from qcaps.rules.shared.guest import Guest
    from qcaps.rules.start.launch import Launch


def refuse_by_qemu(nvram: Nvram, guest: Guest, caps: Capabilities) -> None:
    """Refuses any but a pSeries guest, and a device without a register.

    Follows: qemuValidateDomainDeviceDefNVRAM
    """
    if not guest.is_pseries:
        raise unsupported("an nvram device is for pSeries guests", nvram)
    need(caps, "nvram", "an nvram device", nvram)
    address = nvram.address
    if address is None or address.type != "spapr-vio" or address.reg is None:
        raise malformed("an nvram device takes an address of type 'spapr-vio' with a reg", nvram)


def nvram(launch: Launch) -> Iterator[str]:
    """Where a pSeries keeps its settings.

    Follows: qemuBuildNVRAMCommandLine, qemuBuildNVRAMDevStr
    """
    for device in launch.of(Nvram):
        register = device.address.reg if isinstance(device.address, SpaprVioAddress) else None
        yield from ("-global", f"spapr-nvram.reg=0x{register or 0:x}")


NVRAM = Kind(
    Nvram,
    refuse_by_qemu=refuse_by_qemu,
)
