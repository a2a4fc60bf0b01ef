"""`-chardev`: what the host's end of a character device is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from qcaps.rules.refusal import Refused
from qcaps.rules.start.argument import escaped, on_off

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from qcaps.domainxml.codec import Element
    from qcaps.domainxml.devices.characters import ChardevLog, ChardevProtocol, ChardevSource
    from qcaps.domainxml.devices.on_host import SourceReconnect
    from qcaps.rules.start.launch import Launch


class Ended(Protocol):
    """What has a host's end: a serial port, a channel, a smartcard, the backend of an entropy source."""

    @property
    def type(self) -> str | None:
        """What the host's end is: pty, unix …"""

    @property
    def source(self) -> ChardevSource | None:
        """Where it is."""

    @property
    def second_source(self) -> ChardevSource | None:
        """The other direction of UDP."""

    @property
    def protocol(self) -> ChardevProtocol | None:
        """What is spoken over TCP."""

    @property
    def log(self) -> ChardevLog | None:
        """Who gets a copy."""


def chardev(launch: Launch, ended: Ended, name: str, *, path: str | None = None) -> Iterator[str]:
    """`-chardev` called `name`, with the object for TLS before it; `path` stands in for a missing one.

    Follows: qemuBuildChardevCommand, qemuBuildChardevStr, qemuBuildTLSx509BackendProps
    """
    make = _BACKENDS.get(ended.type or "")
    if make is None:
        raise Refused(f"QEMU cannot connect anything to '{ended.type}'", _element(ended))
    tls = ended.type == "tcp" and ended.source is not None and ended.source.tls
    if tls:
        listens = ended.source is not None and ended.source.mode == "bind"
        yield from launch.backend(
            {
                "qom-type": "tls-creds-x509",
                "id": f"obj{name}_tls0",
                "dir": "/etc/pki/qemu",
                "endpoint": "server" if listens else "client",
                "verify-peer": True,
            }
        )
    words = [word for word in make(ended, name, path) if word]
    if tls:
        words.append(f"tls-creds=obj{name}_tls0")
    if ended.log and ended.log.file:
        words.append(f"logfile={escaped(ended.log.file)}")
        if ended.log.append is not None:
            words.append(f"logappend={on_off(state=ended.log.append)}")
    yield from ("-chardev", ",".join(words))


def unix_socket(name: str, path: str, *, listens: bool, reconnect: SourceReconnect | None = None) -> str:
    """The value of `-chardev` for a UNIX socket."""
    words = ["socket", f"id={name}", f"path={escaped(path)}"]
    if listens:
        words += ["server=on", "wait=off"]
    words += _again(reconnect)
    return ",".join(words)


def _element(ended: Ended) -> Element | None:
    return ended.source


def _plain(kind: str) -> Callable[[Ended, str, str | None], list[str]]:
    return lambda _ended, name, _path: [kind, f"id={name}"]


def _path(ended: Ended, given: str | None) -> str:
    path = (ended.source.path if ended.source else None) or given
    if not path:
        raise Refused(f"a '{ended.type}' needs a path", _element(ended))
    return f"path={escaped(path)}"


def _host_device(ended: Ended, name: str, given: str | None) -> list[str]:
    kind = "parallel" if name.startswith("charparallel") else "serial"
    return [kind, f"id={name}", _path(ended, given)]


def _file(ended: Ended, name: str, given: str | None) -> list[str]:
    append = ended.source.append if ended.source else None
    return [
        "file",
        f"id={name}",
        _path(ended, given),
        "" if append is None else f"append={on_off(state=append)}",
    ]


def _pipe(ended: Ended, name: str, given: str | None) -> list[str]:
    return ["pipe", f"id={name}", _path(ended, given)]


def _sources(ended: Ended) -> list[ChardevSource]:
    return [one for one in (ended.source, ended.second_source) if one is not None]


def _udp(ended: Ended, name: str, _given: str | None) -> list[str]:
    bound = next((one for one in _sources(ended) if one.mode == "bind"), None)
    to = next((one for one in _sources(ended) if one.mode != "bind"), None)
    return [
        "udp",
        f"id={name}",
        f"host={(to.host if to else None) or ''}",
        f"port={(to.service if to else None) or ''}",
        f"localaddr={(bound.host if bound else None) or ''}",
        f"localport={(bound.service if bound else None) or '0'}",
    ]


def _tcp(ended: Ended, name: str, _given: str | None) -> list[str]:
    source = ended.source
    if source is None:
        raise Refused("a 'tcp' needs a host and a service")
    telnet = ended.protocol is not None and ended.protocol.type == "telnet"
    return [
        "socket",
        f"id={name}",
        f"host={source.host or ''}",
        f"port={source.service or ''}",
        "telnet=on" if telnet else "",
        *(["server=on", "wait=off"] if source.mode == "bind" else []),
        *_again(source.reconnect),
    ]


def _unix(ended: Ended, name: str, given: str | None) -> list[str]:
    source = ended.source
    path = (source.path if source else None) or given
    if not path:
        raise Refused("a 'unix' needs a path", _element(ended))
    # a socket whose place libvirt chose is QEMU's to listen on
    listens = source is None or not source.path or source.mode == "bind"
    return [unix_socket(name, path, listens=listens, reconnect=source.reconnect if source else None)]


def _vdagent(ended: Ended, name: str, _given: str | None) -> list[str]:
    words = ["qemu-vdagent", f"id={name}", "name=vdagent"]
    source = ended.source
    if source and source.clipboard:
        words.append(f"clipboard={on_off(state=source.clipboard.copypaste)}")
    if source and source.mouse:
        words.append(f"mouse={on_off(state=source.mouse.mode == 'client')}")
    return words


def _of_channel(kind: str) -> Callable[[Ended, str, str | None], list[str]]:
    def make(ended: Ended, name: str, _given: str | None) -> list[str]:
        return [kind, f"id={name}", f"name={(ended.source.channel if ended.source else None) or ''}"]

    return make


def _spicevmc(ended: Ended, name: str, _given: str | None) -> list[str]:
    return ["spicevmc", f"id={name}", f"name={_VMC.get(getattr(ended, 'TAG', ''), 'vdagent')}"]


_VMC = {"redirdev": "usbredir", "smartcard": "smartcard"}
"""What SPICE calls its channel for each kind of device; `vdagent` else."""


# Follows: qemuBuildChrChardevReconnectStr
def _again(reconnect: SourceReconnect | None) -> list[str]:
    if reconnect is None or reconnect.enabled is None:
        return []
    return [f"reconnect={reconnect.timeout or 0 if reconnect.enabled else 0}"]


_BACKENDS: dict[str, Callable[[Ended, str, str | None], list[str]]] = {
    "null": _plain("null"),
    "vc": _plain("vc"),
    "pty": _plain("pty"),
    "stdio": _plain("stdio"),
    "dev": _host_device,
    "file": _file,
    "pipe": _pipe,
    "udp": _udp,
    "tcp": _tcp,
    "unix": _unix,
    "spicevmc": _spicevmc,
    "spiceport": _of_channel("spiceport"),
    "dbus": _of_channel("dbus"),
    "qemu-vdagent": _vdagent,
}
