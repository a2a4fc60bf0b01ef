"""The domain as a whole, before its devices: what this QEMU runs, and how it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcaps.domainxml.devices import Console, Panic, Serial, Tpm
from qcaps.rules.definition.validation.clock import check_clock, check_pm
from qcaps.rules.definition.validation.cpu import check_cpu, check_vcpus
from qcaps.rules.definition.validation.features import check_features
from qcaps.rules.definition.validation.firmware import check_boot
from qcaps.rules.definition.validation.memory import check_hotplug, check_hugepages
from qcaps.rules.definition.validation.tuning import check_thread_pools
from qcaps.rules.shared.guest import address_type
from qcaps.rules.shared.refuse import malformed, need, unsupported

if TYPE_CHECKING:
    from qcaps.capabilities.model import Capabilities
    from qcaps.rules.shared.guest import Guest

_ARCHES = {"x86_64": {"i686"}, "aarch64": {"armv7l"}, "armv7l": {"armv6l"}, "ppc64": {"ppc64le"}}
"""Guests that a QEMU of another architecture runs."""

_VIRT_FLAGS = {"qemu": "tcg", "kvm": "kvm", "hvf": "hvf"}

_CONSOLE_FLAGS = {"sclp": "s390-sclp", "sclplm": "sclplmconsole", "virtio": None, "serial": None}


def check_domain(guest: Guest, caps: Capabilities) -> None:
    """What libvirt checks of the domain before it looks at any device.

    Follows: qemuValidateDomainDef
    """
    _check_emulator(guest, caps)
    _check_firmware_and_acpi(guest)
    _check_small(guest, caps)
    _check_lifecycle(guest)
    check_cpu(guest, caps)
    check_hotplug(guest)
    check_thread_pools(guest, caps)
    check_clock(guest, caps)
    check_pm(guest, caps)
    check_boot(guest, caps)
    check_vcpus(guest, caps)
    cputune = guest.domain.cputune
    if cputune is not None and cputune.cachetune and guest.domain.type != "kvm":
        raise unsupported("cachetune needs a domain of type 'kvm'", cputune)
    check_features(guest, caps)
    check_hugepages(guest, caps)
    _check_numa(guest, caps)
    _check_consoles(guest, caps)
    _check_firmware_names(guest)
    _check_panics(guest, caps)
    _check_tpms(guest)
    _check_launch_security(guest, caps)


def _check_emulator(guest: Guest, caps: Capabilities) -> None:
    domain = guest.domain
    emulator = f"emulator '{guest.draft.emulator or ''}'"
    kind = domain.os.type
    if kind is not None and kind.value != "hvm":
        raise unsupported(f"{emulator} does not run guests of os type '{kind.value}'", kind)
    if guest.arch != caps.arch and guest.arch not in _ARCHES.get(caps.arch, ()):
        raise unsupported(f"{emulator} does not run guests of architecture '{guest.arch}'", kind)
    if _VIRT_FLAGS.get(domain.type) not in caps.flags:
        raise unsupported(f"{emulator} does not run domains of type '{domain.type}'", domain)
    if guest.machine_in(caps) is None:
        raise unsupported(f"{emulator} has no machine type '{guest.machine}'", kind)
    memtune = domain.memtune
    if memtune is not None and memtune.min_guarantee is not None and memtune.min_guarantee.value:
        raise unsupported("QEMU cannot guarantee memory: min_guarantee", memtune)


def _check_firmware_and_acpi(guest: Guest) -> None:
    if guest.uefi and guest.is_x86 and not guest.acpi:
        raise unsupported("UEFI needs <acpi/> among the features on this architecture", guest.domain.os)
    if guest.acpi and guest.arch == "aarch64" and not guest.uefi:
        raise unsupported("<acpi/> needs UEFI on this architecture", guest.domain.features)


def _check_small(guest: Guest, caps: Capabilities) -> None:
    domain = guest.domain
    if domain.genid is not None:
        need(caps, "vmgenid", "<genid>", domain)
    bios = domain.os.bios
    if bios is not None and bios.useserial:
        if not guest.is_x86:
            raise unsupported("useserial works on x86 alone", bios)
        if not guest.draft.of(Serial):
            raise malformed("useserial needs at least one serial port", bios)


# Follows: qemuValidateDomainLifecycleAction, qemuValidateLifecycleAction
def _check_lifecycle(guest: Guest) -> None:
    domain = guest.domain
    poweroff, reboot, crash = domain.on_poweroff, domain.on_reboot, domain.on_crash
    if "rename-restart" in (poweroff, reboot, crash):
        raise unsupported("QEMU has no 'rename-restart' for on_poweroff, on_reboot or on_crash", domain)
    if "preserve" in (poweroff, reboot):
        raise unsupported("QEMU has no 'preserve' for on_poweroff or on_reboot", domain)
    if poweroff == "restart" and reboot == "destroy":
        raise unsupported("on_poweroff 'restart' does not go with on_reboot 'destroy'", domain)


# Follows: qemuValidateDomainDefNuma
def _check_numa(guest: Guest, caps: Capabilities) -> None:
    numa = None if guest.domain.cpu is None else guest.domain.cpu.numa
    if numa is None:
        return
    if (numa.interconnects is not None and numa.interconnects.all) or any(cell.cache for cell in numa.cell):
        need(caps, "numa.hmat", "a table of memory attributes (HMAT)", numa)


# Follows: qemuValidateDomainDefConsole
def _check_consoles(guest: Guest, caps: Capabilities) -> None:
    for console in guest.draft.of(Console):
        kind = (console.target and console.target.type) or "serial"
        if kind not in _CONSOLE_FLAGS:
            raise unsupported(f"console of target type '{kind}'", console)
        if (flag := _CONSOLE_FLAGS[kind]) is not None:
            need(caps, flag, f"a console of target type '{kind}'", console)


# Follows: qemuValidateDomainDefSysinfo
def _check_firmware_names(guest: Guest) -> None:
    for sysinfo in guest.domain.sysinfo:
        if sysinfo.type != "fwcfg":
            continue
        for entry in sysinfo.entry:
            name = entry.name or ""
            if not name.startswith("opt/"):
                raise unsupported(f"firmware name '{name}' does not begin with 'opt/'", entry)
            if name.startswith(("opt/ovmf/", "opt/org.qemu/")):
                raise unsupported(f"firmware name '{name}' is reserved", entry)


# Follows: qemuValidateDomainDefPanic
def _check_panics(guest: Guest, caps: Capabilities) -> None:
    fits = {
        "s390": (guest.is_s390, "s390 guests"),
        "hyperv": (guest.is_x86, "x86 guests"),
        "pseries": (guest.is_pseries, "pSeries guests"),
    }
    for panic in guest.draft.of(Panic):
        kind = address_type(panic)
        if panic.model in fits:
            fit, who = fits[panic.model]
            if not fit:
                raise unsupported(f"a panic device of model '{panic.model}' is for {who}", panic)
            if kind is not None:
                raise unsupported(f"a panic device of model '{panic.model}' has no address", panic)
        elif panic.model == "isa":
            need(caps, "pvpanic", "the ISA panic device", panic)
            if kind not in (None, "isa"):
                raise unsupported("the ISA panic device takes an address of type 'isa' alone", panic)


# Follows: qemuValidateDomainDefTPMs
def _check_tpms(guest: Guest) -> None:
    seen: set[bool] = set()
    for tpm in guest.draft.of(Tpm):
        proxy = tpm.model == "spapr-tpm-proxy"
        if proxy in seen:
            raise unsupported(f"only one TPM {'proxy' if proxy else 'beside a proxy'} is possible", tpm)
        seen.add(proxy)


def _check_launch_security(guest: Guest, caps: Capabilities) -> None:
    security = guest.domain.launch_security
    if security is None:
        return
    if security.type == "sev":
        need(caps, "sev-guest", "SEV launch security", security)
        if security.kernel_hashes is not None:
            need(caps, "sev-guest-kernel-hashes", "SEV measured direct boot (kernelHashes)", security)
        return
    need(caps, "confidential-guest-support", "S390 PV launch security", security)
    need(caps, "s390-pv-guest", "S390 PV launch security", security)
    if not guest.host.secure_guests:
        raise unsupported("this host's kernel runs no protected guests (S390 PV)", security)
