"""Firmware: `-bios`, flash memory, `-smbios`, `-fw_cfg`, `-boot`, the kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcaps.domainxml.devices.disksource import DiskSource
from qcaps.domainxml.devices.on_host import SourceHost
from qcaps.rules.refusal import Refused
from qcaps.rules.shared.protocol import located
from qcaps.rules.start.argument import blockdev, escaped, on_off

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qcaps.domainxml.boot import FirmwareVariables
    from qcaps.domainxml.sysinfo import Sysinfo, SysinfoTable
    from qcaps.rules.start.argument import Properties
    from qcaps.rules.start.launch import Launch

_FLASH = "libvirt-pflash{}-{}"

_TABLES = (
    ("bios", 0, ("vendor", "version", "date", "release")),
    ("system", 1, ("manufacturer", "product", "version", "serial", "uuid", "sku", "family")),
    ("base_board", 2, ("manufacturer", "product", "version", "serial", "asset", "location")),
    ("chassis", 3, ("manufacturer", "version", "serial", "asset", "sku")),
)
"""The element, the number of its table, and the entries QEMU takes, in its order."""

_OF_A_HOST = (
    "type=0,vendor=host,version=host,date=01/01/2023,release=1.0",
    "type=1,manufacturer=host,product=host,version=host,serial=host",
)
"""What stands for a host's own tables; libvirt leaves out its UUID."""


def flash(launch: Launch) -> Iterator[str]:
    """The firmware image and its variables as block devices.

    Follows: qemuBuildPflashBlockdevCommandLine
    """
    if not launch.has_pflash:
        return
    loader, variables = launch.domain.os.loader, launch.variables
    image: Properties = {"driver": "file", "filename": (loader.value if loader else None) or ""}
    yield from _flash(0, image, read_only=bool(loader and loader.readonly))
    if variables is not None:
        yield from _flash(1, _variables(variables), read_only=False)


def loader(launch: Launch) -> Iterator[str]:
    """`-bios`, or what makes flash memory secure.

    Follows: qemuBuildDomainLoaderCommandLine
    """
    given = launch.domain.os.loader
    if given and given.type == "rom":
        yield from ("-bios", given.value or "")
    if given and given.type == "pflash" and given.secure:
        yield from ("-global", "driver=cfi.pflash01,property=secure,value=on")


def smbios(launch: Launch) -> Iterator[str]:
    """`-smbios` for each table that `<sysinfo type='smbios'>` fills.

    Follows: qemuBuildSmbiosCommandLine
    """
    mode = launch.domain.os.smbios.mode if launch.domain.os.smbios else None
    if mode == "host":
        launch.assumed.append("SMBIOS tables of the host -> tables 0 and 1 that say 'host'")
        for words_of_a_table in _OF_A_HOST:
            yield from ("-smbios", words_of_a_table)
        return
    if mode != "sysinfo":
        return
    given = next((one for one in launch.domain.sysinfo if one.type == "smbios"), None)
    if given is None:
        raise Refused("<smbios mode='sysinfo'> needs <sysinfo type='smbios'>", launch.domain.os.smbios)
    if len(given.base_board) > 1:
        raise Refused("QEMU takes one base board", given.base_board[1])
    for name, number, entries in _TABLES:
        for table in _tables(given, name):
            values = {entry.name: entry.value or "" for entry in table.entry}
            words = [f"{entry}={escaped(values[entry])}" for entry in entries if entry in values]
            yield from ("-smbios", ",".join((f"type={number}", *words)))
    if given.oem_strings:
        words = [f"value={escaped(entry.value or '')}" for entry in given.oem_strings.entry]
        yield from ("-smbios", ",".join(("type=11", *words)))


def settings(launch: Launch) -> Iterator[str]:
    """`-fw_cfg` for each string or file that `<sysinfo type='fwcfg'>` names.

    Follows: qemuBuildSysinfoCommandLine
    """
    for given in launch.domain.sysinfo:
        if given.type == "fwcfg":
            for entry in given.entry:
                source = f"string={entry.value}" if entry.value else f"file={entry.file}"
                yield from ("-fw_cfg", f"name={entry.name},{source}")


def boot(launch: Launch) -> Iterator[str]:
    """`-boot`, the kernel, its arguments, and an ACPI table.

    Follows: qemuBuildBootCommandLine
    """
    given = launch.domain.os
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


def _variables(given: FirmwareVariables) -> Properties:
    """Where the variables are. Raises Refused."""
    source = given.source
    if source is None:
        return {"driver": "file", "filename": given.value or ""}
    place = DiskSource(
        file=source.file,
        dev=source.dev,
        protocol=source.protocol,
        name=source.name,
        host=tuple(
            SourceHost(
                name=host.name,
                port=host.port,
                transport=host.transport,
                socket=host.socket,
            )
            for host in source.host
        ),
    )
    return located(given.type or "file", place, _FLASH.format(1, "storage"), read_only=False, floppy=False)


# Follows: qemuBuildPflashBlockdevOne
def _flash(number: int, place: Properties, *, read_only: bool) -> Iterator[str]:
    storage, image = _FLASH.format(number, "storage"), _FLASH.format(number, "format")
    yield from blockdev({**place, "node-name": storage, "auto-read-only": True, "discard": "unmap"})
    yield from blockdev({"node-name": image, "read-only": read_only, "driver": "raw", "file": storage})
