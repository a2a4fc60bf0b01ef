"""`<sysinfo>`: strings for the guest's SMBIOS tables or its firmware."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from qcaps.domainxml.codec import TEXT, Element, Name


class SysinfoEntry(Element):
    """One string, or the file that holds it."""

    TAG: ClassVar[str] = "entry"
    name: str | None = None
    file: str | None = None
    value: Annotated[str, TEXT] | None = None


class SysinfoTable(Element):
    """The strings of one table."""

    entry: tuple[SysinfoEntry, ...] = ()

    def named(self, name: str) -> SysinfoEntry | None:
        """The first entry of that name."""
        return next((one for one in self.entry if one.name == name), None)


class SysinfoBaseBoard(SysinfoTable):
    """The strings of one base board."""

    TAG: ClassVar[str] = "baseBoard"


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
