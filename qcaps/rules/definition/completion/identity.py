"""Who the domain is: UUID and generation id."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from qcaps.domain import syntax
from qcaps.domain.codec import evolve

if TYPE_CHECKING:
    from qcaps.domain.domain import Domain
    from qcaps.domain.sysinfo import Sysinfo, SysinfoEntry


def parsed(domain: Domain) -> dict[str, Any]:
    """UUIDs in canonical form, generated where SMBIOS tables do not say them either.

    Follows: virDomainDefParseIDs
    """
    known = syntax.uuid(domain.uuid) if domain.uuid else None
    changes: dict[str, Any] = {}
    if domain.sysinfo:
        known, changes["sysinfo"] = _smbios(domain, known)
    changes["uuid"] = known or str(uuid.uuid4())
    if domain.genid is not None:
        changes["genid"] = syntax.uuid(domain.genid) if domain.genid else str(uuid.uuid4())
    return changes


def _smbios(domain: Domain, known: str | None) -> tuple[str | None, tuple[Sysinfo, ...]]:
    """The UUID that SMBIOS tables name, which stands in for a missing one, and the tables with it in form."""
    tables: list[Sysinfo] = []
    for table in domain.sysinfo:
        system = table.system
        named = next((one for one in system.entry if one.name == "uuid"), None) if system else None
        if table.type != "smbios" or system is None or named is None or named.value is None:
            tables.append(table)
            continue
        own = syntax.uuid(named.value)
        known = own
        entries = tuple(_renamed(one, named, own) for one in system.entry)
        tables.append(evolve(table, system=evolve(system, entry=entries)))
    return known, tuple(tables)


def _renamed(entry: SysinfoEntry, named: SysinfoEntry, value: str) -> SysinfoEntry:
    return evolve(entry, value=value) if entry is named else entry
