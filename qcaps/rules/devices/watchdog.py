"""`<watchdog>`: its action, its place, the guest's architecture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcaps.domainxml.codec import evolve
from qcaps.domainxml.devices import Watchdog
from qcaps.rules.kind import Kind, Pci
from qcaps.rules.shared.alias import by_place
from qcaps.rules.shared.guest import address_type
from qcaps.rules.shared.refuse import unsupported
from qcaps.rules.start.address import placed, zpci

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qcaps.capabilities.model import Capabilities
    from qcaps.domainxml.domain import Domain
    from qcaps.rules.shared.guest import Guest
    from qcaps.rules.start.launch import Launch


def read(_domain: Domain, watchdog: Watchdog) -> Watchdog:
    """It resets, unless told otherwise.

    Follows: virDomainWatchdogDefParseXML
    """
    return watchdog if watchdog.action is not None else evolve(watchdog, action="reset")


def refuse_by_qemu(watchdog: Watchdog, guest: Guest, _caps: Capabilities) -> None:
    """Where each model sits.

    Follows: qemuValidateDomainWatchdogDef
    """
    kind = address_type(watchdog)
    if watchdog.model == "i6300esb":
        if kind not in (None, "pci"):
            raise unsupported(f"watchdog 'i6300esb' sits on PCI, not on '{kind}'", watchdog)
        return
    if kind is not None:
        raise unsupported(f"watchdog '{watchdog.model}' has no address", watchdog)
    if watchdog.model == "diag288" and not guest.is_s390:
        raise unsupported("watchdog 'diag288' is for s390 guests", watchdog)
    if watchdog.model == "itco" and not guest.is_q35:
        raise unsupported("watchdog 'itco' is part of a q35 machine", watchdog)


def watchdogs(launch: Launch) -> Iterator[str]:
    """The watchdog, and what it does.

    Follows: qemuBuildWatchdogCommandLine, qemuBuildWatchdogDevProps
    """
    for device in launch.of(Watchdog):
        if device.model == "itco":
            yield from ("-global", "ICH9-LPC.noreboot=off")
            continue
        yield from zpci(launch, device)
        yield from launch.device(
            {"driver": device.model, "id": launch.alias(device), **placed(launch, device)}
        )
    if launch.of(Watchdog):
        action = launch.of(Watchdog)[0].action or "reset"
        yield from ("-watchdog-action", "pause" if action == "dump" else action)  # libvirt dumps, then


WATCHDOG = Kind(
    Watchdog,
    read=read,
    refuse_by_qemu=refuse_by_qemu,
    pci=Pci(
        flags=lambda watchdog, way: way.pci if watchdog.model == "i6300esb" else 0,
        wants=lambda watchdog: watchdog.model == "i6300esb",
    ),
    alias=by_place("watchdog"),
)
