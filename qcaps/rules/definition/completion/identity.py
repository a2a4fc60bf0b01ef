"""Who the domain is: UUID and generation id."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Final, TypeVar

from qcaps.domainxml import syntax
from qcaps.domainxml.codec import evolve
from qcaps.domainxml.sysinfo import SysinfoTable

if TYPE_CHECKING:
    from qcaps.domainxml.domain import Domain
    from qcaps.domainxml.sysinfo import Sysinfo

_T = TypeVar("_T", bound=SysinfoTable)

_BIOS: Final = ("vendor", "version", "date", "release")
_SYSTEM: Final = ("manufacturer", "product", "version", "serial", "uuid", "sku", "family")
_BOARD: Final = ("manufacturer", "product", "version", "serial", "asset", "location")
_CHASSIS: Final = ("manufacturer", "version", "serial", "asset", "sku")


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


# Follows: virSysinfoParseSMBIOSDef, virSysinfoFormat
def _smbios(domain: Domain, known: str | None) -> tuple[str | None, tuple[Sysinfo, ...]]:
    """The UUID that SMBIOS tables name, which stands in for a missing one, and the tables as written."""
    tables: list[Sysinfo] = []
    for table in domain.sysinfo:
        if table.type != "smbios":
            tables.append(_named_strings(table))
            continue
        named = table.system.named("uuid") if table.system is not None else None
        if named is not None and named.value is not None:
            known = syntax.uuid(named.value)
        boards = (_table(one, _BOARD, known) for one in table.base_board)
        strings = table.oem_strings
        tables.append(
            evolve(
                table,
                bios=_table(table.bios, _BIOS, known),
                system=_table(table.system, _SYSTEM, known),
                base_board=tuple(one for one in boards if one is not None),
                chassis=_table(table.chassis, _CHASSIS, known),
                oem_strings=_nameless(strings) if strings is not None and strings.entry else None,
                entry=(),
            )
        )
    return known, tuple(tables)


# Follows: virSysinfoBIOSParseXML, virSysinfoSystemParseXML, virSysinfoChassisParseXML
def _table(table: _T | None, names: tuple[str, ...], own: str | None) -> _T | None:
    """Its strings in order; of two of one name the first counts, and an empty one is none."""
    if table is None:
        return None
    first = (table.named(name) for name in names)
    kept = (one for one in first if one is not None and one.value)
    entries = tuple(evolve(one, file=None, value=own if one.name == "uuid" else one.value) for one in kept)
    return evolve(table, entry=entries) if entries else None


# Follows: virSysinfoOEMStringsParseXML
def _nameless(table: SysinfoTable) -> SysinfoTable:
    return evolve(table, entry=tuple(evolve(one, name=None, file=None) for one in table.entry))


# Follows: virSysinfoParseFWCfgDef, virSysinfoFormatFWCfg
def _named_strings(table: Sysinfo) -> Sysinfo:
    entries = tuple(evolve(one, value=None) if one.file is not None else one for one in table.entry)
    nothing: dict[str, Any] = dict.fromkeys(("bios", "system", "chassis", "oem_strings"))
    return evolve(table, entry=entries, base_board=(), **nothing)
