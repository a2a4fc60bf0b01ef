"""What the domain boots: firmware, its variables, the order of devices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qcaps.domainxml.boot import Firmware, FirmwareFeature, FirmwareVariables, Loader, OsBoot, OsType
from qcaps.domainxml.codec import evolve
from qcaps.release import R9_0, R11_3, R12_8, since
from qcaps.rules.devices.disk.parsed import read_source
from qcaps.rules.refusal import Refused

if TYPE_CHECKING:
    from qcaps.capabilities.model import Capabilities
    from qcaps.domainxml.domain import Domain
    from qcaps.release import Since
    from qcaps.rules.draft import Draft

NVRAM_FOLDER: Final = "/var/lib/libvirt/qemu/nvram"
"""Where a system libvirt keeps the variables of a firmware."""

_MOST_BOOT_DEVICES: Final = 4


def parsed(domain: Domain, arch: str) -> dict[str, Any]:
    """`arch`: the host's, for a file that names none.

    Follows: virDomainDefParseBootOptions
    """
    os = domain.os
    changes: dict[str, Any] = {}
    if os.type is None or os.type.arch is None:
        changes["type"] = evolve(os.type or OsType(), arch=arch)
    if os.firmware_features is not None:
        features = os.firmware_features
        changes["firmware_features"] = _sorted(features) if features.feature else None
    if os.loader is not None and not os.loader.value:
        changes["loader"] = evolve(os.loader, value=None) if _is_said(os.loader) else None
    if os.nvram is not None:
        variables = _variables(os.nvram, domain)
        changes["nvram"] = variables if _is_said(variables) else None
    if os.acpi is not None and not os.acpi.table:
        changes["acpi"] = None
    if os.smbios is not None and os.smbios.mode in (None, "none"):
        changes["smbios"] = None
    if len(os.boot) > _MOST_BOOT_DEVICES:
        changes["boot"] = os.boot[:_MOST_BOOT_DEVICES]
    menu = os.bootmenu
    if menu is not None:
        shown = evolve(menu, timeout=menu.timeout if menu.enable else None)
        changes["bootmenu"] = shown if menu.enable is not None else None
    bios = os.bios
    if bios is not None and bios.useserial is None and bios.reboot_timeout is None:
        changes["bios"] = None
    return {"os": evolve(os, **changes)} if changes else {}


def _is_said(element: Loader | FirmwareVariables) -> bool:
    said = {name: value for name, value in element.__dict__.items() if name != "line"}
    return bool(said.pop("value", None)) or any(value is not None for value in said.values())


# Follows: virDomainLoaderDefParseXMLNvram
def _variables(nvram: FirmwareVariables, domain: Domain) -> FirmwareVariables:
    """A path, or a type with its source."""
    if nvram.type is None or nvram.source is None:
        return nvram if nvram.source is None else evolve(nvram, source=None)
    return evolve(nvram, value=None, source=read_source(nvram.type, nvram.source, domain))


def _sorted(firmware: Firmware) -> Firmware:
    by_name = {one.name: one for one in firmware.feature}
    return evolve(firmware, feature=tuple(by_name[name] for name in sorted(by_name)))


def set_machine(draft: Draft, caps: Capabilities) -> None:
    """QEMU's preferred machine type where the file names none.

    Follows: qemuDomainDefPostParse, virQEMUCapsGetPreferredMachine
    """
    domain = draft.domain
    if domain.bootloader or domain.bootloader_args:
        raise Refused("unsupported configuration: QEMU knows no bootloader", domain)
    if domain.machine:
        return
    accelerator = caps.accelerator(domain.type)
    if accelerator is None or not accelerator.machines:
        raise Refused(f"invalid argument: no preferred machine for type={domain.type}", domain)
    _set(draft, machine=accelerator.machines[0].name)


def canonical_machine(draft: Draft, caps: Capabilities) -> None:
    """The canonical name behind an alias.

    libvirt refuses an unknown machine type only in validation, after its address assignment has stumbled over
    the missing buses; refusing here says what is wrong.

    Follows: qemuCanonicalizeMachine
    """
    domain = draft.domain
    accelerator = caps.accelerator(domain.type)
    if accelerator is None:
        return  # validation says so
    known = accelerator.machines_by_name.get(domain.machine or "")
    if known is None:
        if domain.arch != caps.arch:
            return  # a 32-bit guest may run all the same; if not, validation says so
        raise Refused(
            f"unsupported configuration: no machine type '{domain.machine}' in this QEMU, {caps.release}",
            domain.os.type,
        )
    if known.name != domain.machine:
        _set(draft, machine=known.name)


def _set(draft: Draft, machine: str) -> None:
    os = draft.domain.os
    draft.set(os=evolve(os, type=evolve(os.type or OsType(), machine=machine)))


def set_nvram(draft: Draft) -> None:
    """A read-only UEFI in flash needs a place for its variables.

    Follows: qemuDomainDefPostParse, qemuDomainNVRAMPathFormat
    """
    if since(_FIRMWARE_IS_FILLED_IN, draft.release):
        _fill_firmware(draft)
        return
    os = draft.domain.os
    loader = os.loader
    if loader is None or loader.type != "pflash" or not loader.readonly or loader.stateless:
        return
    if os.nvram is None or not (os.nvram.value or os.nvram.type):
        path = f"{NVRAM_FOLDER}/{draft.domain.name}_VARS.fd"
        draft.set(os=evolve(os, nvram=evolve(os.nvram or FirmwareVariables(), value=path)))


_FIRMWARE_IS_FILLED_IN: Final[Since[bool]] = {R9_0: False, R11_3: True}
"""Whether firmware is chosen, and its format written down, when a domain is defined; before, at its start."""

_EVERY_FORMAT_IS_WRITTEN: Final[Since[bool]] = {R11_3: False, R12_8: True}
"""Whether that of a ROM and of any template of variables is, too."""

_VARIABLES: Final = {
    "/usr/share/OVMF/OVMF_CODE.fd": "/usr/share/OVMF/OVMF_VARS.fd",
    "/usr/share/OVMF/OVMF_CODE.secboot.fd": "/usr/share/OVMF/OVMF_VARS.fd",
    "/usr/share/AAVMF/AAVMF_CODE.fd": "/usr/share/AAVMF/AAVMF_VARS.fd",
    "/usr/share/AAVMF/AAVMF32_CODE.fd": "/usr/share/AAVMF/AAVMF32_VARS.fd",
}
"""The image of variables for each that libvirt knows by its path."""


def _fill_firmware(draft: Draft) -> None:
    """What libvirt writes down of the firmware of a new domain, on a host without firmware descriptors.

    Follows: qemuFirmwareFillDomain, qemuFirmwareFillDomainLegacy, qemuFirmwareEnsureNVRAM
    """
    os = draft.domain.os
    if os.firmware is not None:
        raise Refused(
            f"operation failed: no firmware '{os.firmware}' is described on this host; name one by its path",
            os,
        )
    loader, nvram = os.loader, os.nvram
    every = since(_EVERY_FORMAT_IS_WRITTEN, draft.release)
    if loader is None or (loader.type == "rom" and not every):
        return
    if every and nvram is not None and nvram.template is not None:
        nvram = evolve(nvram, template_format=nvram.template_format or "raw")
    of_flash = loader.type == "pflash" and loader.readonly is not False and not loader.stateless
    template = _VARIABLES.get(loader.value or "") if of_flash and loader.format in (None, "raw") else None
    if template is not None:
        loader = evolve(loader, readonly=True)
        nvram = nvram or FirmwareVariables()
        nvram = evolve(
            nvram,
            template=nvram.template or template,
            template_format=nvram.template_format or "raw",
        )
    loader = evolve(loader, format=loader.format or "raw")
    if of_flash and loader.readonly:
        nvram = nvram or FirmwareVariables()
        there = bool(nvram.value or nvram.type)
        form = nvram.format or (loader.format if there else nvram.template_format or loader.format)
        nvram = evolve(nvram, format=form)
        if not there:
            ending = (
                ".qcow2" if form == "qcow2" else ".raw" if (nvram.template or "").endswith(".raw") else ".fd"
            )
            nvram = evolve(nvram, value=f"{NVRAM_FOLDER}/{draft.domain.name}_VARS{ending}")
    draft.set(os=evolve(os, loader=loader, nvram=nvram))


def complete(draft: Draft) -> None:
    """Enrolled keys imply secure boot; a firmware image is a ROM unless told otherwise.

    Follows: virDomainDefPostParseOs
    """
    os = draft.domain.os
    changes: dict[str, Any] = {}
    features = {one.name: one for one in os.firmware_features.feature} if os.firmware_features else {}
    if "enrolled-keys" in features and features["enrolled-keys"].enabled:
        secure = features.get("secure-boot")
        if secure is not None and not secure.enabled:
            raise Refused("XML error: enrolled-keys need secure-boot, which is disabled", secure)
        features["secure-boot"] = FirmwareFeature(enabled=True, name="secure-boot")
        changes["firmware_features"] = _sorted(Firmware(feature=tuple(features.values())))
    if os.loader is not None and os.loader.value and os.loader.type is None:
        changes["loader"] = evolve(os.loader, type="rom")
    if changes:
        draft.set(os=evolve(os, **changes))


def order(draft: Draft) -> None:
    """Devices boot in an order of their own, or by kind; by default from a disk.

    Follows: virDomainDefBootOrderPostParse, virDomainDefCollectBootOrder
    """
    orders: set[int] = set()
    for device in draft.devices():
        boot = device.__dict__.get("boot")
        number = boot.order if boot is not None else None
        if not number:
            continue
        if number in orders:
            raise Refused(f"unsupported configuration: two devices have boot order {number}", device)
        orders.add(number)
    os = draft.domain.os
    if os.boot and orders:
        raise Refused("unsupported configuration: boot orders of devices exclude <os><boot>", os)
    if not os.boot and not orders:
        draft.set(os=evolve(os, boot=(OsBoot(dev="hd"),)))
