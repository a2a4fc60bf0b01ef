"""`<channel>`: virtio ports and guestfwd, and where libvirt puts their sockets."""

from __future__ import annotations

import ipaddress
import re
from ipaddress import AddressValueError, IPv4Address
from typing import TYPE_CHECKING, Final

from qcaps.domainxml.address import VirtioSerialAddress
from qcaps.domainxml.codec import evolve
from qcaps.domainxml.devices import Channel
from qcaps.release import R9_0, R11_3, since
from qcaps.rules.kind import Kind
from qcaps.rules.refusal import Refused
from qcaps.rules.shared import character_checks, characters
from qcaps.rules.shared.alias import by_place
from qcaps.rules.shared.character_checks import refuse_read_character
from qcaps.rules.shared.character_ports import port
from qcaps.rules.shared.refuse import malformed, unsupported
from qcaps.rules.start import argument, paths
from qcaps.rules.start.backend import chardev

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qcaps.domainxml import devices as d
    from qcaps.release import Since
    from qcaps.rules.shared.state import State
    from qcaps.rules.start.argument import Properties
    from qcaps.rules.start.launch import Launch


def refuse_read(channel: d.Channel) -> None:
    """Refuses a channel without a target type, and a guestfwd channel without an IPv4 address and a port.

    Follows: virDomainChrDefParseTargetXML
    """
    target = channel.target
    if target is None or target.type is None:
        raise malformed("a channel needs a target type", channel)
    if target.type == "guestfwd":
        if target.address is None or target.port is None:
            raise malformed("a channel of target type 'guestfwd' needs an address and a port", channel)
        try:
            IPv4Address(target.address)
        except AddressValueError:
            raise unsupported(f"'{target.address}' is no IPv4 address", channel) from None
    refuse_read_character(channel)


CHANNEL_FOLDER: Final = "/var/lib/libvirt/qemu/channel/target"
"""Where libvirt makes the sockets of channels; it never stores their paths."""


_OWN_FOLDERS: Final[Since[tuple[str, ...]]] = {
    R9_0: (),
    R11_3: ("/run/libvirt/qemu/channel", "/var/lib/libvirt/qemu/channel", "/etc/libvirt/qemu/channel"),
}
"""Where a socket must lie to be one that libvirt made; none: in any folder that is called like its own."""


def complete(state: State, channel: Channel) -> Channel:
    """Leaves out the path of a socket that libvirt itself made.

    Follows: qemuDomainChrDefDropDefaultPath
    """
    target, source = channel.target, channel.source
    if (
        channel.type == "unix"
        and source is not None
        and source.path
        and (folders := since(_OWN_FOLDERS, state.draft.release))
    ):
        if target is None or target.type != "virtio" or not _is_own(source.path, target.name or "", folders):
            return channel
        return evolve(channel, source=evolve(source, path=None) if source.reconnect is not None else None)
    if channel.type == "unix" and source is not None and target is not None and target.type == "virtio":
        path = source.path or ""
        name = target.name or ""
        folder, _, last = path.rpartition("/")
        _, mark, domain = folder.rpartition("/")[2].partition("domain-")
        inside = path.removeprefix(CHANNEL_FOLDER + "/") if path.startswith(CHANNEL_FOLDER + "/") else ""
        if "." in inside.partition("/")[0][1:] or (mark and domain and last == name):
            # what else the source says still counts: whether it can reconnect is looked at in validation
            return evolve(channel, source=evolve(source, path=None) if source.reconnect is not None else None)
    return channel


# Follows: qemuDomainChrMatchDefaultPath
def _is_own(path: str, name: str, folders: tuple[str, ...]) -> bool:
    folder = next((one for one in folders if path.startswith(one + "/")), None)
    if folder is None:
        return False
    inside = path.removeprefix(folder + "/").removeprefix("target/")
    return re.fullmatch(rf"(?:[^/]+\.|domain-[^/]+/|[0-9]+-[^/]+/){re.escape(name)}", inside) is not None


def channels(launch: Launch) -> Iterator[str]:
    """Virtio ports, and addresses of the guest's network that lead to the host.

    Follows: qemuBuildChannelsCommandLine, qemuBuildChannelChrDeviceProps
    """
    for channel in launch.of(Channel):
        target = channel.target
        name = f"char{launch.alias(channel)}"
        yield from chardev(launch, channel, name, path=_socket(launch, channel))
        if target and target.type == "guestfwd":
            yield from argument.netdev(launch.capabilities, _forward(channel, launch.alias(channel)))
        elif target and target.type == "virtio":
            yield from launch.device(port(launch, channel, "virtserialport"))
        else:
            raise Refused("QEMU has virtio and guestfwd channels only", channel)


def _socket(launch: Launch, channel: Channel) -> str | None:
    """Where libvirt puts the socket of a channel that does not say.

    Follows: qemuDomainPrepareChannel
    """
    target = channel.target
    if channel.type != "unix" or target is None or target.type != "virtio":
        return None
    if target.name:
        return paths.channel(launch.domain, target.name)
    at = channel.address
    place = (
        (at.controller or 0, at.bus or 0, at.port or 0) if isinstance(at, VirtioSerialAddress) else (0, 0, 0)
    )
    return paths.channel(launch.domain, "vioser-{:02d}-{:02d}-{:02d}.sock".format(*place))


# Follows: qemuBuildChannelGuestfwdNetdevProps
def _forward(channel: Channel, name: str) -> Properties:
    target = channel.target
    host = str(ipaddress.ip_address((target.address if target else None) or "10.0.2.15"))
    port = (target.port if target else None) or 0
    return {"type": "user", "guestfwd": [{"str": f"tcp:{host}:{port}-chardev:char{name}"}], "id": name}


CHANNEL = Kind(
    Channel,
    refuse_read=refuse_read,
    read=characters.read_character,
    complete=complete,
    refuse=character_checks.refuse_character,
    refuse_by_qemu=character_checks.refuse_character_by_qemu,
    alias=by_place("channel"),
)
