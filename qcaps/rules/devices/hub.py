"""`<hub>`: USB hubs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcaps.domainxml.devices import Hub
from qcaps.rules.kind import Kind
from qcaps.rules.shared.alias import by_place
from qcaps.rules.shared.refuse import need, unsupported
from qcaps.rules.start.address import placed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qcaps.capabilities.model import Capabilities
    from qcaps.rules.shared.guest import Guest
    from qcaps.rules.start.launch import Launch


def refuse_by_qemu(hub: Hub, _guest: Guest, caps: Capabilities) -> None:
    """Refuses any hub but a USB hub.

    Follows: qemuValidateDomainDeviceDefHub
    """
    if hub.type != "usb":
        raise unsupported(f"there is no hub of type '{hub.type}'", hub)
    need(caps, "usb-hub", "a USB hub", hub)


def hubs(launch: Launch) -> Iterator[str]:
    """USB hubs.

    Follows: qemuBuildHubCommandLine, qemuBuildHubDevCmd
    """
    for hub in launch.of(Hub):
        yield from launch.device({"driver": "usb-hub", "id": launch.alias(hub), **placed(launch, hub)})


HUB = Kind(
    Hub,
    refuse_by_qemu=refuse_by_qemu,
    alias=by_place("hub"),
)
