"""Leases of a lock manager."""

from __future__ import annotations

from typing import Annotated, ClassVar

from qcaps.domainxml.codec import CHILD, Element
from qcaps.domainxml.device import NO_INFO, Device
from qcaps.domainxml.syntax import U64


class LeaseTarget(Element):
    """Where the lease lies in its file."""

    TAG: ClassVar[str] = "target"
    path: str | None = None
    offset: U64 | None = None


class Lease(Device):
    """A lease that the guest must hold to run."""

    TAG: ClassVar[str] = "lease"
    UNREAD: ClassVar[frozenset[str]] = NO_INFO
    lockspace: Annotated[str, CHILD] | None = None
    key: Annotated[str, CHILD] | None = None
    target: LeaseTarget | None = None
