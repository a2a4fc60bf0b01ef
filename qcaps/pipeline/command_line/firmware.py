"""Firmware: `-bios`, flash memory, `-smbios`, `-fw_cfg`, `-boot`, the kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcaps.pipeline.command_line.argument import blockdev, escaped, on_off
from qcaps.pipeline.refusal import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qcaps.domain.sysinfo import Sysinfo, SysinfoTable
    from qcaps.pipeline.command_line.guest import Guest

_FLASH = "libvirt-pflash{}-{}"

_TABLES: tuple[tuple[str, int, dict[str, str]], ...] = (
    ("bios", 0, {"vendor": "vendor", "version": "version", "date": "date", "release": "release"}),
    (
        "system",
        1,
        {
            "manufacturer": "manufacturer", "product": "product", "version": "version", "serial": "serial",
            "uuid": "uuid", "sku": "sku", "family": "family",
        },
    ),
    (
        "base_board",
        2,
        {
            "manufacturer": "manufacturer", "product": "product", "version": "version", "serial": "serial",
            "asset": "asset", "location": "location",
        },
    ),
    (
        "chassis",
        3,
        {"manufacturer": "manufacturer", "version": "version", "serial": "serial", "asset": "asset", "sku": "sku"},
    ),
)  # fmt: skip
"""The element, the number of its table, and the entries QEMU takes, in its order."""


def flash(guest: Guest) -> Iterator[str]:
    """The firmware image and its variables as block devices."""
    if not guest.has_pflash:
        return
    loader, variables = guest.domain.os.loader, guest.domain.os.nvram
    yield from _flash(0, loader.value or "" if loader else "", read_only=bool(loader and loader.readonly))
    if variables is None:
        return
    if variables.type not in (None, "file", "block"):
        raise Refused(f"variables on '{variables.type}' cannot be put on a command line", variables)
    source = variables.source
    path = (source.file or source.dev if source else None) or variables.value
    if not path:
        raise Refused(
            "the file of the variables is not known; libvirt names it when it picks firmware", variables
        )
    yield from _flash(1, path, read_only=False, is_device=variables.type == "block")


def loader(guest: Guest) -> Iterator[str]:
    """`-bios`, or what makes flash memory secure."""
    given = guest.domain.os.loader
    if given and given.type == "rom":
        yield from ("-bios", given.value or "")
    if given and given.type == "pflash" and given.secure:
        yield from ("-global", "driver=cfi.pflash01,property=secure,value=on")


def smbios(guest: Guest) -> Iterator[str]:
    """`-smbios` for each table that `<sysinfo type='smbios'>` fills."""
    mode = guest.domain.os.smbios.mode if guest.domain.os.smbios else None
    if mode == "host":
        raise Refused("the host's own SMBIOS tables are not read", guest.domain.os.smbios)
    if mode != "sysinfo":
        return
    given = next((one for one in guest.domain.sysinfo if one.type == "smbios"), None)
    if given is None:
        raise Refused("<smbios mode='sysinfo'> needs <sysinfo type='smbios'>", guest.domain.os.smbios)
    if len(given.base_board) > 1:
        raise Refused("QEMU takes one base board", given.base_board[1])
    for name, number, entries in _TABLES:
        for table in _tables(given, name):
            values = {entry.name: entry.value or "" for entry in table.entry}
            words = [f"{key}={escaped(values[entry])}" for entry, key in entries.items() if entry in values]
            yield from ("-smbios", ",".join((f"type={number}", *words)))
    if given.oem_strings:
        words = [f"value={escaped(entry.value or '')}" for entry in given.oem_strings.entry]
        yield from ("-smbios", ",".join(("type=11", *words)))


def settings(guest: Guest) -> Iterator[str]:
    """`-fw_cfg` for each string or file that `<sysinfo type='fwcfg'>` names."""
    for given in guest.domain.sysinfo:
        if given.type == "fwcfg":
            for entry in given.entry:
                source = f"string={entry.value}" if entry.value else f"file={entry.file}"
                yield from ("-fw_cfg", f"name={entry.name},{source}")


def boot(guest: Guest) -> Iterator[str]:
    """`-boot`, the kernel, its arguments, and an ACPI table."""
    given = guest.domain.os
    words: list[str] = []
    if given.bootmenu and given.bootmenu.enable is not None:
        words.append(f"menu={on_off(state=given.bootmenu.enable)}")
    if given.bios and given.bios.reboot_timeout is not None:
        words.append(f"reboot-timeout={given.bios.reboot_timeout}")
    if given.bootmenu and given.bootmenu.enable and given.bootmenu.timeout is not None:
        words.append(f"splash-time={given.bootmenu.timeout}")
    yield from ("-boot", ",".join((*words, "strict=on")))
    for option, value in (
        ("-kernel", given.kernel),
        ("-initrd", given.initrd),
        ("-append", given.cmdline),
        ("-dtb", given.dtb),
    ):
        if value:
            yield from (option, value)
    for table in given.acpi.table if given.acpi else ():
        yield from ("-acpitable", f"sig=SLIC,file={escaped(table.value or '')}")


def _tables(given: Sysinfo, name: str) -> tuple[SysinfoTable, ...]:
    found: SysinfoTable | tuple[SysinfoTable, ...] | None = getattr(given, name)
    return found if isinstance(found, tuple) else () if found is None else (found,)


def _flash(number: int, path: str, *, read_only: bool, is_device: bool = False) -> Iterator[str]:
    storage, image = _FLASH.format(number, "storage"), _FLASH.format(number, "format")
    yield from blockdev(
        {
            "driver": "host_device" if is_device else "file",
            "filename": path,
            "node-name": storage,
            "auto-read-only": True,
            "discard": "unmap",
        }
    )
    yield from blockdev({"node-name": image, "read-only": read_only, "driver": "raw", "file": storage})
