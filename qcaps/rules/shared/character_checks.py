"""What libvirt refuses of a character device, and of whatever else has such a source."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, Protocol

from qcaps.release import R9_0, R11_3, since
from qcaps.rules.refusal import Refused
from qcaps.rules.shared.labels import refuse_read_labels
from qcaps.rules.shared.refuse import internal, malformed, need, unsupported

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from qcaps.capabilities.model import Capabilities
    from qcaps.domainxml import devices as d
    from qcaps.domainxml.codec import Element
    from qcaps.domainxml.devices import Channel, Console, Parallel, Serial
    from qcaps.domainxml.devices.characters import ChardevSource as Source
    from qcaps.release import Since
    from qcaps.rules.shared.guest import Guest


SPICEVMC = frozenset({("channel", "virtio"), ("serial", "usb-serial"), ("console", "xen")})
"""Ends of a spice channel. libvirt means the first, and compares numbers that the others share."""


def refuse_read_character(device: d.Serial | d.Parallel | d.Console | d.Channel) -> None:
    """Refuses a spicevmc source anywhere but in a virtio channel, and a second source of any type but UDP.

    Follows: virDomainChrDefParseXML, virDomainChrSourceDefParseXML
    """
    end = device.target.type if device.target is not None else None
    if device.type == "spicevmc" and (device.TAG, end) not in SPICEVMC:
        raise unsupported("a source of type 'spicevmc' is for channels of target type 'virtio'", device)
    refuse_read_sources(device)
    if device.source is not None:
        refuse_read_labels(device.source.seclabel, device)


_PROTOCOLS = (None, "raw", "telnet", "telnets", "tls")
"""What is spoken over TCP."""


def refuse_read_sources(device: Any) -> None:  # noqa: ANN401  # whatever has sources
    """Refuses a second source of any type but UDP, and one that reconnects without saying how often.

    Follows: virDomainChrSourceDefParseXML
    """
    if device.second_source is not None and device.type != "udp":
        raise malformed(f"a character device of type '{device.type}' has one <source>", device)
    protocol = device.protocol.type if device.type == "tcp" and device.protocol is not None else None
    if protocol not in _PROTOCOLS:
        known = ", ".join(sorted(filter(None, _PROTOCOLS)))
        raise malformed(f"protocol '{protocol}' is not one of {known}", device.protocol)
    refuse_read_reconnect(device)


def refuse_read_reconnect(device: Any) -> None:  # noqa: ANN401  # whatever has a source
    """Refuses a source that reconnects without saying how often.

    Follows: virDomainChrSourceReconnectDefParseXML
    """
    source = device.source
    again = source.reconnect if source is not None and device.type in ("tcp", "unix") else None
    if again is not None and again.enabled and again.timeout is None:
        raise malformed("<reconnect> needs a timeout", device)


class _HasSources(Protocol):
    """Two sources where UDP goes both ways."""

    @property
    def source(self) -> Source | None: ...
    @property
    def second_source(self) -> Source | None: ...


_CHANNEL_NAME = re.compile(r"[-A-Za-z0-9_.]*")


def check_source(
    kind: str | None, sources: Sequence[Source], device: Element, *, makes_path: bool = False
) -> None:
    """Refuses a source that lacks what its type needs; `makes_path` where libvirt makes a socket's path.

    Follows: virDomainChrSourceDefValidate
    """
    source = sources[0] if sources else None
    check = _SOURCES.get(kind or "pty")
    if check is not None and not (kind == "unix" and makes_path and (source is None or source.path is None)):
        check(source, sources, device)
    if kind == "unix" and source is not None:
        _check_reconnect(source, device)


def _need_path(source: Source | None, _sources: Sequence[Source], device: Element) -> None:
    if source is None or source.path is None:
        raise internal("<source path=…> is missing", device)


def _need_pair(source: Source | None, _sources: Sequence[Source], device: Element) -> None:
    if source is not None and (source.master is None) != (source.slave is None):
        raise internal("a source of type 'nmdm' has both a master and a slave, or neither", device)


def _need_host(source: Source | None, _sources: Sequence[Source], device: Element) -> None:
    if source is None or source.host is None:
        raise internal("<source host=…> is missing", device)
    if source.service is None:
        raise internal("<source service=…> is missing", device)
    _check_reconnect(source, device)


def _need_connect(_source: Source | None, sources: Sequence[Source], device: Element) -> None:
    connect = next((one for one in sources if one.mode in (None, "connect")), None)
    if connect is None or connect.service is None:
        raise internal("<source mode='connect' service=…> is missing", device)


# Follows: virDomainChrSourceDefValidateChannelName
def _need_channel(source: Source | None, _sources: Sequence[Source], device: Element) -> None:
    name = None if source is None else source.channel
    if name is None:
        raise unsupported("<source channel=…> is missing", device)
    if not _CHANNEL_NAME.fullmatch(name):
        raise Refused(f"channel '{name}' has characters other than letters, digits, '_', '-' and '.'", device)


def _check_reconnect(source: Source, device: Element) -> None:
    if source.reconnect is None or source.reconnect.enabled is None:
        return
    # where libvirt makes up the path of a socket, it is QEMU that listens
    if source.mode == "bind" or (source.path is None and source.host is None):
        raise internal("only a source in mode 'connect' can reconnect", device)


_SOURCES: dict[str, Callable[[Source | None, Sequence[Source], Element], None]] = {
    "file": _need_path,
    "dev": _need_path,
    "pipe": _need_path,
    "nmdm": _need_pair,
    "tcp": _need_host,
    "udp": _need_connect,
    "unix": _need_path,
    "spiceport": _need_channel,
    "dbus": _need_channel,
}


_FOREIGN_PROTOCOLS_REFUSED: Final[Since[bool]] = {R9_0: False, R11_3: True}


def check_qemu_source(
    kind: str | None, sources: Sequence[Source], device: Element, guest: Guest, caps: Capabilities
) -> None:
    """What QEMU, or this QEMU, cannot do with a source.

    Follows: qemuValidateDomainChrSourceDef, qemuValidateDomainChrSourceReconnectDef
    """
    if kind == "tcp" and since(_FOREIGN_PROTOCOLS_REFUSED, guest.draft.release):
        said = getattr(device, "protocol", None)
        if said is not None and said.type in ("tls", "telnets"):
            raise unsupported(f"QEMU has no protocol '{said.type}'", device)
    if kind in ("tcp", "unix"):
        for source in sources:
            again = source.reconnect
            if again is not None and again.enabled and not again.timeout:
                raise Refused("a source that reconnects needs a timeout other than 0", device)
    elif kind == "qemu-vdagent":
        need(caps, "chardev.qemu-vdagent", "a source of type 'qemu-vdagent'", device)
    elif kind in ("spicevmc", "spiceport") and "spice" not in guest.graphics:
        raise unsupported(f"a source of type '{kind}' needs spice graphics", device)


def sources(device: _HasSources) -> tuple[Source, ...]:
    """The sources it has: two where UDP goes both ways."""
    return tuple(one for one in (device.source, device.second_source) if one is not None)


def refuse_character(device: Serial | Parallel | Channel | Console, _guest: Guest) -> None:
    """What holds for a serial or parallel port, a console or a channel under any hypervisor.

    Follows: virDomainChrDefValidate
    """
    makes_path = (
        device.TAG == "channel" and device.target is not None and device.target.type in ("virtio", "xen")
    )
    check_source(device.type, sources(device), device, makes_path=makes_path)


def refuse_character_by_qemu(device: Parallel | Channel | Console, guest: Guest, caps: Capabilities) -> None:
    """What QEMU cannot do with a parallel port, a console or a channel.

    Follows: qemuValidateDomainChrDef
    """
    check_qemu_source(device.type, sources(device), device, guest, caps)
    if device.TAG == "parallel" and (guest.is_s390 or guest.is_pseries):
        raise unsupported(f"there is no parallel port for {guest.where}", device)
