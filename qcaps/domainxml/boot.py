"""`<os>`: what the domain runs on and boots from."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from qcaps.domainxml.codec import CHILD, TEXT, Element, Name, Newer
from qcaps.domainxml.devices.disksource import DiskSource
from qcaps.domainxml.syntax import I32, U32
from qcaps.release import R11_3

ImageFormat = Literal["raw", "qcow2"]
"""Of a firmware image; libvirt reads any format it knows and refuses the others."""

Arch = Literal[
    "alpha", "armv6l", "armv7l", "armv7b", "aarch64", "cris", "i686", "ia64", "lm32", "m68k", "microblaze",
    "microblazeel", "mips", "mipsel", "mips64", "mips64el", "openrisc", "parisc", "parisc64", "ppc", "ppcle",
    "ppc64", "ppc64le", "ppcemb", "riscv32", "riscv64", "s390", "s390x", "sh4", "sh4eb", "sparc", "sparc64",
    "unicore32", "x86_64", "xtensa", "xtensaeb",
]  # fmt: skip


class OsType(Element):
    """The kind of guest, its architecture and machine type."""

    TAG: ClassVar[str] = "type"
    XPATH: ClassVar[bool] = True
    MERGED: ClassVar[bool] = True
    arch: Arch | None = None
    machine: str | None = None
    value: Annotated[Literal["hvm", "xen", "linux", "exe", "uml", "xenpvh"], TEXT] | None = None


class FirmwareFeature(Element):
    """What the chosen firmware must, or must not, be able to do."""

    TAG: ClassVar[str] = "feature"
    enabled: bool
    name: Literal["enrolled-keys", "secure-boot"]


class Firmware(Element):
    """Conditions on the firmware that is chosen for the domain."""

    TAG: ClassVar[str] = "firmware"
    MERGED: ClassVar[bool] = True
    feature: tuple[FirmwareFeature, ...] = ()


class Loader(Element):
    """The firmware image."""

    TAG: ClassVar[str] = "loader"
    readonly: bool | None = None
    secure: bool | None = None
    type: Literal["rom", "pflash"] | None = None
    stateless: bool | None = None
    format: Annotated[ImageFormat, Newer(R11_3)] | None = None
    value: Annotated[str, TEXT] | None = None


class FirmwareVariables(Element):
    """The firmware's variables: a path as text, or a type and a source."""

    TAG: ClassVar[str] = "nvram"
    template: str | None = None
    template_format: Annotated[ImageFormat, Name("templateFormat"), Newer(R11_3)] | None = None
    format: Annotated[ImageFormat, Newer(R11_3)] | None = None
    type: Literal["file", "block", "dir", "network", "volume", "nvme", "vhostuser"] | None = None
    value: Annotated[str, TEXT] | None = None
    source: DiskSource | None = None


class AcpiTable(Element):
    """A file with an ACPI table for the guest."""

    TAG: ClassVar[str] = "table"
    type: Annotated[Literal["slic", "raw", "msdm"], Newer(R11_3, ("raw", "msdm"))]
    value: Annotated[str, TEXT] | None = None


class OsAcpi(Element):
    """Tables beside those QEMU makes."""

    TAG: ClassVar[str] = "acpi"
    MERGED: ClassVar[bool] = True
    table: tuple[AcpiTable, ...] = ()


class OsBoot(Element):
    """One kind of device to boot from; their order counts."""

    TAG: ClassVar[str] = "boot"
    dev: Literal["fd", "cdrom", "hd", "network"]


class Bootmenu(Element):
    """The firmware's menu; timeout in milliseconds."""

    TAG: ClassVar[str] = "bootmenu"
    enable: bool | None = None
    timeout: U32 | None = None


class Bios(Element):
    """Options of SeaBIOS; reboot timeout in milliseconds, -1 for never."""

    TAG: ClassVar[str] = "bios"
    useserial: bool | None = None
    reboot_timeout: Annotated[I32, Name("rebootTimeout")] | None = None


class Smbios(Element):
    """Where the SMBIOS tables come from."""

    TAG: ClassVar[str] = "smbios"
    XPATH: ClassVar[bool] = True
    MERGED: ClassVar[bool] = True
    mode: Literal["none", "emulate", "host", "sysinfo"] | None = None


class Os(Element):
    """What the domain runs on and boots from; the children of containers (`init` …) are kept verbatim."""

    TAG: ClassVar[str] = "os"
    XPATH: ClassVar[bool] = True
    MERGED: ClassVar[bool] = True
    firmware: Literal["bios", "efi"] | None = None
    type: OsType | None = None
    # named after what it holds: `firmware` is an attribute and a child at once
    firmware_features: Annotated[Firmware, Name("firmware")] | None = None
    loader: Loader | None = None
    nvram: FirmwareVariables | None = None
    kernel: Annotated[str, CHILD] | None = None
    initrd: Annotated[str, CHILD] | None = None
    cmdline: Annotated[str, CHILD] | None = None
    dtb: Annotated[str, CHILD] | None = None
    root: Annotated[str, CHILD] | None = None
    acpi: OsAcpi | None = None
    boot: tuple[OsBoot, ...] = ()
    bootmenu: Bootmenu | None = None
    bios: Bios | None = None
    smbios: Smbios | None = None
