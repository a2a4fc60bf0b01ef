"""Ports on a virtio-serial controller."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qcaps.domainxml.address import CcwAddress, VirtioSerialAddress
from qcaps.domainxml.devices import Channel, Console
from qcaps.rules.refusal import Refused
from qcaps.rules.start.address import placed

if TYPE_CHECKING:
    from qcaps.rules.start.argument import Properties
    from qcaps.rules.start.launch import Launch


_SPICE_PORT: Final = "com.redhat.spice.0"


def port(launch: Launch, device: Channel | Console, driver: str) -> Properties:
    """The port of a channel or a console, as properties of `-device`.

    Follows: qemuBuildVirtioSerialPortDevProps
    """
    if device.address is not None and not isinstance(device.address, VirtioSerialAddress | CcwAddress):
        raise Refused("a virtio port sits on a virtio-serial controller", device)
    title = device.target.name if isinstance(device, Channel) and device.target else None
    if device.type == "spicevmc" and isinstance(device, Channel):
        if title not in (None, _SPICE_PORT):
            raise Refused(f"a spicevmc channel is called {_SPICE_PORT}, not '{title}'", device)
        title = _SPICE_PORT
    return {
        "driver": driver,
        **({} if isinstance(device.address, CcwAddress) else placed(launch, device)),
        "chardev": f"char{launch.alias(device)}",
        "id": launch.alias(device),
        "name": title,
    }
