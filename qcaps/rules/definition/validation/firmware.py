"""`<os>`: the loader, its variables, the firmware that is chosen for the domain, and the boot menu."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qcaps.release import R9_0, R12_8, since
from qcaps.rules.refusal import Refused
from qcaps.rules.shared.refuse import unsupported

if TYPE_CHECKING:
    from qcaps.capabilities.model import Capabilities
    from qcaps.domainxml.boot import FirmwareVariables, Loader, Os
    from qcaps.release import Since
    from qcaps.rules.shared.guest import Guest

_LONGEST_TIMEOUT = 65535  # milliseconds
_NVRAM_TYPES = ("file", "block", "network")


def check_boot(guest: Guest, _caps: Capabilities) -> None:
    """Secure boot against the machine, and where the firmware keeps its variables.

    Follows: qemuValidateDomainDefBoot
    """
    os = guest.domain.os
    if os.loader is not None and os.loader.secure:
        _check_secure_boot(guest, os.loader)
    nvram = os.nvram
    if nvram is not None and nvram.type is not None and nvram.type not in _NVRAM_TYPES:
        raise unsupported(f"QEMU keeps no firmware variables on storage of type '{nvram.type}'", nvram)


def _check_secure_boot(guest: Guest, loader: Loader) -> None:
    if not guest.is_q35:
        raise unsupported("secure boot needs a q35 machine type", loader)
    if guest.arch != "x86_64":
        raise unsupported("secure boot needs architecture x86_64", loader)
    smm = None if guest.domain.features is None else guest.domain.features.smm
    if guest.domain.os.firmware is None and (smm is None or smm.state is False):
        raise unsupported("secure boot needs <smm state='on'/>", loader)


def check_os(guest: Guest) -> None:
    """Whether loader, variables and the choice of firmware go together.

    Follows: virDomainDefOSValidate
    """
    os = guest.domain.os
    if os.firmware is not None:
        _check_chosen(os, os.firmware)
    else:
        if os.firmware_features is not None and os.firmware_features.feature:
            raise Refused("firmware features are given, but no firmware is to be chosen", os)
        if os.nvram is not None and not (os.loader is not None and os.loader.value):
            raise Refused("no path of a loader is given, and no firmware is to be chosen", os.nvram)
    if os.loader is not None:
        _check_stateless(os, os.loader, any_type=since(_STATELESS_NO_OF_ANY, guest.draft.release))
        if (
            os.loader.readonly is False
            and _has_variables(os.nvram)
            and since(_WRITABLE_IS_ALL, guest.draft.release)
        ):
            raise Refused("a loader that can be written keeps its variables itself: <nvram>", os.nvram)


_STATELESS_NO_OF_ANY: Final[Since[bool]] = {R9_0: False, R12_8: True}
"""Whether any loader may say that it is not stateless."""
_WRITABLE_IS_ALL: Final[Since[bool]] = {R9_0: False, R12_8: True}


def _has_variables(nvram: FirmwareVariables | None) -> bool:
    return nvram is not None and (nvram.type is not None or bool(nvram.value))


def _check_chosen(os: Os, firmware: str) -> None:
    loader = os.loader
    if loader is not None:
        given = {
            "readonly": loader.readonly is not None,
            "type": loader.type is not None,
            "path": bool(loader.value),
        }
        for name, there in given.items():
            if there:
                raise Refused(f"<loader> cannot have its {name} when the firmware is to be chosen", loader)
    if os.nvram is not None and os.nvram.template is not None:
        raise Refused("<nvram> cannot have a template when the firmware is to be chosen", os.nvram)
    # secure='yes' was the first way to ask for firmware with secure boot, and is still let through
    if loader is not None and loader.secure is False:
        raise Refused("<loader> cannot have secure='no' when the firmware is to be chosen", loader)
    if _has_variables(os.nvram) and firmware != "efi":
        raise Refused(f"firmware '{firmware}' keeps no variables: <nvram>", os.nvram)


def _check_stateless(os: Os, loader: Loader, *, any_type: bool) -> None:
    if loader.stateless is None:
        return
    if loader.stateless:
        if os.nvram is not None and os.nvram.template is not None:
            raise Refused("a stateless loader takes no template of variables", os.nvram)
        if _has_variables(os.nvram):
            raise Refused("a stateless loader keeps no variables: <nvram>", os.nvram)
    elif os.firmware is None:
        if loader.type != "pflash" and not any_type:
            raise Refused("stateless='no' needs a loader of type 'pflash'", loader)
    elif os.firmware != "efi":
        raise Refused(f"stateless='no' needs firmware 'efi', not '{os.firmware}'", loader)


def check_boot_options(guest: Guest) -> None:
    """The two timeouts of `<os>`, in milliseconds.

    Follows: virDomainDefBootValidate
    """
    os = guest.domain.os
    menu, bios = os.bootmenu, os.bios
    if menu is not None and menu.enable and (menu.timeout or 0) > _LONGEST_TIMEOUT:
        raise unsupported(f"boot menu timeout {menu.timeout} is not between 0 and {_LONGEST_TIMEOUT}", menu)
    if bios is not None and not -1 <= (bios.reboot_timeout or 0) <= _LONGEST_TIMEOUT:
        raise unsupported(
            f"rebootTimeout {bios.reboot_timeout} is not between -1 and {_LONGEST_TIMEOUT}", bios
        )
