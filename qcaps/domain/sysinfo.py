"""`<sysinfo>`: strings for the guest's SMBIOS tables or its firmware."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from qcaps.domain.codec import TEXT, Element, Name


@dataclass(frozen=True, kw_only=True)
class SysinfoEntry(Element):
    """One string, or the file that holds it."""

    TAG: ClassVar[str] = "entry"
    name: str | None = None
    file: str | None = None
    value: Annotated[str, TEXT] | None = None


@dataclass(frozen=True, kw_only=True)
class SysinfoTable(Element):
    """The strings of one table."""

    entry: tuple[SysinfoEntry, ...] = ()


@dataclass(frozen=True, kw_only=True)
class SysinfoBaseBoard(SysinfoTable):
    """The strings of one base board."""

    TAG: ClassVar[str] = "baseBoard"


@dataclass(frozen=True, kw_only=True)
class Sysinfo(Element):
    """Tables (smbios) or named strings (fwcfg)."""

    TAG: ClassVar[str] = "sysinfo"
    type: Literal["smbios", "fwcfg"]
    bios: SysinfoTable | None = None
    system: SysinfoTable | None = None
    base_board: tuple[SysinfoBaseBoard, ...] = ()
    chassis: SysinfoTable | None = None
    oem_strings: Annotated[SysinfoTable, Name("oemStrings")] | None = None
    entry: tuple[SysinfoEntry, ...] = ()
