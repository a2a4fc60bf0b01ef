"""What character devices share: what they are connected to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

from qcaps.domainxml.codec import evolve
from qcaps.domainxml.devices import Channel, Console, Parallel, Serial
from qcaps.domainxml.devices.characters import ChardevProtocol, ChardevSource
from qcaps.rules.shared.common import is_empty, source_labels

if TYPE_CHECKING:
    from qcaps.domainxml.domain import Domain


Character = Serial | Parallel | Console | Channel


_C = TypeVar("_C", bound=Character)


_ALWAYS: Final = {"line", "unknown_attributes", "unknown_children"}


_SOURCES: Final[dict[str, set[str]]] = {
    "dev": _ALWAYS | {"path", "seclabel"},
    "pipe": _ALWAYS | {"path", "seclabel"},
    "file": _ALWAYS | {"path", "append", "seclabel"},
    "udp": _ALWAYS | {"mode", "host", "service"},
    "tcp": _ALWAYS | {"mode", "host", "service", "tls", "reconnect"},
    "unix": _ALWAYS | {"mode", "path", "seclabel", "reconnect"},
    "spiceport": _ALWAYS | {"channel"},
    "dbus": _ALWAYS | {"channel"},
    "nmdm": _ALWAYS | {"master", "slave"},
    "qemu-vdagent": _ALWAYS | {"clipboard", "mouse"},
}
"""What a source of each kind may say; other kinds have none."""


def read_character(domain: Domain, device: _C) -> _C:
    """How a source connects; leaves out what only a running guest has.

    Follows: virDomainChrDefParseXML, virDomainChrDefFormat, virDomainChrSourceDefParseXML
    """
    given = device.__dict__
    changes: dict[str, Any] = {"type": device.type}
    if given.get("tty") is not None:
        changes["tty"] = None
    source, protocol = normal_source(device.type, given.get("source"), given.get("protocol"))
    if source is not None and source.seclabel:
        source = evolve(source, seclabel=source_labels(source.seclabel, domain))
    changes["source"], changes["protocol"] = source, protocol
    if device.type == "udp":
        ends = tuple(filter(None, map(_udp, (given.get("source"), given.get("second_source")))))
        both = sorted({_mode(one): one for one in reversed(ends)}.values(), key=_mode)
        changes["source"], changes["second_source"] = (*both, None, None)[:2]
    if (log := given.get("log")) is not None and log.file is None:
        changes["log"] = None
    return evolve(device, **changes)


def normal_source(
    kind: str, source: ChardevSource | None, protocol: ChardevProtocol | None = None
) -> tuple[ChardevSource | None, ChardevProtocol | None]:
    """Source and protocol of a character device of type `kind` as libvirt writes them.

    Follows: virDomainChrSourceDefParseXML, virDomainChrSourceDefFormat
    """
    known = _SOURCES.get(kind)
    if known is None:
        return None, None
    if source is not None:
        source = _relevant(source, known)
    if kind == "tcp":
        source = source or ChardevSource()
        protocol = protocol or ChardevProtocol()
        return (
            evolve(source, mode=source.mode or "connect"),
            evolve(protocol, type=protocol.type or "raw"),
        )
    if kind == "unix" and source is not None:
        if source.path is not None:
            return evolve(source, mode=source.mode or "connect"), None
        # what it says of reconnecting is looked at in validation
        again = source.reconnect is not None and source.reconnect.enabled is not None
        return (source if again else None), None
    return (None if source is None or is_empty(source) else source), None


def _relevant(source: ChardevSource, known: set[str]) -> ChardevSource:
    """What counts for its kind."""
    changes: dict[str, Any] = {
        name: () if name == "seclabel" else None for name in source.__dict__ if name not in known
    }
    again = source.reconnect
    if again is not None and "reconnect" in known:
        off = again.enabled is None
        changes["reconnect"] = (
            None if off else evolve(again, timeout=again.timeout if again.enabled else None)
        )
    return evolve(source, **changes) if changes else source


def _udp(source: ChardevSource | None) -> ChardevSource | None:
    if source is None or (source.host is None and source.service is None):
        return None
    return evolve(_relevant(source, _SOURCES["udp"]), mode=source.mode or "connect")


def _mode(source: ChardevSource) -> str:
    return source.mode or "connect"
