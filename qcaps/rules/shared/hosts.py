"""Servers that a source names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcaps.rules.refusal import Refused
from qcaps.rules.shared.refuse import malformed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qcaps.domainxml.devices.on_host import SourceHost

_HIGHEST_PORT = 65535


def check_hosts(hosts: Iterable[SourceHost]) -> None:
    """Refuses a server without a name, or without a socket over transport 'unix'.

    Follows: virDomainStorageNetworkParseHost
    """
    for host in hosts:
        if host.transport == "unix":
            if host.socket is None:
                raise malformed("transport 'unix' needs a socket", host)
        elif host.socket is not None:
            raise malformed(f"transport '{host.transport or 'tcp'}' takes no socket", host)
        elif host.name is None:
            raise malformed("a host needs a name", host)
        elif host.port is not None and host.port > _HIGHEST_PORT:
            raise Refused(f"invalid argument: port {host.port} is above {_HIGHEST_PORT}", host)
