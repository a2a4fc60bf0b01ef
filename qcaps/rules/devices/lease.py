"""`<lease>`: a lock on the host; QEMU is told nothing of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcaps.domainxml.devices import Lease
from qcaps.rules.kind import Kind
from qcaps.rules.shared.refuse import malformed

if TYPE_CHECKING:
    from qcaps.domainxml import devices as d


def refuse_read(lease: d.Lease) -> None:
    """Refuses a lease without a key or a target path.

    Follows: virDomainLeaseDefParseXML
    """
    if lease.key is None or lease.target is None or lease.target.path is None:
        raise malformed("a lease needs <key> and <target path=…>", lease)


LEASE = Kind(
    Lease,
    refuse_read=refuse_read,
)
