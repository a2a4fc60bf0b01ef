"""Where libvirt's system daemon keeps what QEMU is to open or to make."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from qcaps.domainxml.domain import Domain

_STATE: Final = "/var/lib/libvirt/qemu"
_NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9_.-]")
_NAME_LENGTH: Final = 20


def short_name(domain: Domain) -> str:
    """Number and name of the domain, as in file names; -1 is the number of one that does not run.

    Follows: virDomainDefGetShortName
    """
    name = _NOT_IN_NAMES.sub("", domain.name)[:_NAME_LENGTH]
    return f"-1-{name}"


def own(domain: Domain, name: str) -> str:
    """A file in the domain's own directory."""
    return f"{_STATE}/domain-{short_name(domain)}/{name}"


def channel(domain: Domain, name: str) -> str:
    """The socket of a virtio-serial channel."""
    return f"{_STATE}/channel/target/domain-{short_name(domain)}/{name}"


def memory(domain: Domain, name: str) -> str:
    """The file behind memory that is shared as a file."""
    return f"{_STATE}/ram/{short_name(domain)}/{name}"


def huge_pages(domain: Domain, kib: int) -> str:
    """The directory for huge pages of this size, 0 for the host's default, where systemd mounts them."""
    unit = "" if not kib else f"{kib >> 20}G" if not kib % (1 << 20) else f"{kib >> 10}M"
    return f"/dev/hugepages{unit}/libvirt/qemu/{short_name(domain)}"
