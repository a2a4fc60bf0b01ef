"""Serial and parallel ports, channels and consoles."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Final

from qcaps.domain.address import CcwAddress, VirtioSerialAddress
from qcaps.domain.devices import Channel, Console, Graphics, Parallel, Serial
from qcaps.rules.machine import ARM_VIRT, RISCV
from qcaps.rules.refusal import Refused
from qcaps.rules.start import argument, paths
from qcaps.rules.start.address import placed
from qcaps.rules.start.backend import chardev

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qcaps.rules.start.argument import Properties
    from qcaps.rules.start.guest import Guest

_SPICE_PORT: Final = "com.redhat.spice.0"
_SCLP: Final = {"sclp": "sclpconsole", "sclplm": "sclplmconsole"}
_CHECKED: Final = frozenset(
    {"isa-serial", "usb-serial", "pci-serial", "spapr-vty", "sclpconsole", "sclplmconsole", "pl011"}
)
"""Models that are the names of flags too; the others every QEMU has."""
_PLATFORM: Final = frozenset({"pl011", "16550a", "none"})


def serials(guest: Guest) -> Iterator[str]:
    """Serial ports: a device, or one that the board has."""
    spice = any(graphics.type == "spice" for graphics in guest.of(Graphics))
    for serial in guest.of(Serial):
        if serial.type == "spiceport" and not spice:
            continue
        name = f"char{guest.alias(serial)}"
        yield from chardev(guest, serial, name)
        model = (serial.target.model.name if serial.target and serial.target.model else None) or "none"
        if model in _CHECKED and model not in guest.capabilities:
            raise Refused(f"this QEMU has no {model}", serial)
        if _is_on_board(guest, serial, model):
            yield from ("-serial", f"chardev:{name}")
            continue
        if model in _PLATFORM:
            raise Refused(f"a serial port of model '{model}' cannot be added to a machine", serial)
        port = serial.target.port if serial.target else None
        yield from guest.device(
            {
                "driver": model,
                "chardev": name,
                "id": guest.alias(serial),
                "index": port if model == "isa-serial" else None,
                **placed(guest, serial),
            }
        )


def parallels(guest: Guest) -> Iterator[str]:
    """Parallel ports."""
    for parallel in guest.of(Parallel):
        name = f"char{guest.alias(parallel)}"
        yield from chardev(guest, parallel, name)
        yield from guest.device({"driver": "isa-parallel", "chardev": name, "id": guest.alias(parallel)})


def channels(guest: Guest) -> Iterator[str]:
    """Virtio ports, and addresses of the guest's network that lead to the host."""
    for channel in guest.of(Channel):
        target = channel.target
        name = f"char{guest.alias(channel)}"
        yield from chardev(guest, channel, name, path=_socket(guest, channel))
        if target and target.type == "guestfwd":
            yield from argument.netdev(guest.capabilities, _forward(channel, guest.alias(channel)))
        elif target and target.type == "virtio":
            yield from guest.device(_port(guest, channel, "virtserialport"))
        else:
            raise Refused("QEMU has virtio and guestfwd channels only", channel)


def consoles(guest: Guest) -> Iterator[str]:
    """Consoles that are no serial port seen again."""
    for console in guest.of(Console):
        kind = console.target.type if console.target else None
        if kind == "serial":
            continue
        name = f"char{guest.alias(console)}"
        if kind == "virtio":
            yield from chardev(guest, console, name)
            yield from guest.device(_port(guest, console, "virtconsole"))
        elif kind in _SCLP:
            yield from chardev(guest, console, name)
            yield from guest.device({"driver": _SCLP[kind], "chardev": name, "id": guest.alias(console)})
        else:
            raise Refused(f"QEMU has no console of type '{kind}'", console)


def _is_on_board(guest: Guest, serial: Serial, model: str) -> bool:
    kind = (serial.target.type if serial.target else None) or "none"
    if kind == "none":
        return True
    arch = guest.domain.arch
    return kind == "system-serial" and (
        (model == "pl011" and arch in ARM_VIRT) or (model == "16550a" and arch in RISCV)
    )


def _socket(guest: Guest, channel: Channel) -> str | None:
    """Where libvirt puts the socket of a channel that does not say."""
    target = channel.target
    if channel.type != "unix" or target is None or target.type != "virtio":
        return None
    if target.name:
        return paths.channel(guest.domain, target.name)
    at = channel.address
    place = (
        (at.controller or 0, at.bus or 0, at.port or 0) if isinstance(at, VirtioSerialAddress) else (0, 0, 0)
    )
    return paths.channel(guest.domain, "vioser-{:02d}-{:02d}-{:02d}.sock".format(*place))


def _forward(channel: Channel, name: str) -> Properties:
    target = channel.target
    host = str(ipaddress.ip_address((target.address if target else None) or "10.0.2.15"))
    port = (target.port if target else None) or 0
    return {"type": "user", "guestfwd": [{"str": f"tcp:{host}:{port}-chardev:char{name}"}], "id": name}


def _port(guest: Guest, device: Channel | Console, driver: str) -> Properties:
    if device.address is not None and not isinstance(device.address, VirtioSerialAddress | CcwAddress):
        raise Refused("a virtio port sits on a virtio-serial controller", device)
    title = device.target.name if isinstance(device, Channel) and device.target else None
    if device.type == "spicevmc" and isinstance(device, Channel):
        if title not in (None, _SPICE_PORT):
            raise Refused(f"a spicevmc channel is called {_SPICE_PORT}, not '{title}'", device)
        title = _SPICE_PORT
    return {
        "driver": driver,
        **({} if isinstance(device.address, CcwAddress) else placed(guest, device)),
        "chardev": f"char{guest.alias(device)}",
        "id": guest.alias(device),
        "name": title,
    }
