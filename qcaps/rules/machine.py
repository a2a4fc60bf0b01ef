"""Families of machine types: what a domain's `<os><type arch=… machine=…>` says about its board.

Each function takes the domain; one without a machine type belongs to no family. A machine type counts by its
name alone, canonical or alias, as in libvirt.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qcaps.capabilities.targets import PPC64, S390, X86

if TYPE_CHECKING:
    from qcaps.domainxml.domain import Domain

ARM_VIRT: Final = frozenset({"armv6l", "armv7l", "aarch64"})
RISCV: Final = frozenset({"riscv32", "riscv64"})
MIPS: Final = frozenset({"mips", "mipsel", "mips64", "mips64el"})
_MIPS64: Final = frozenset({"mips64", "mips64el"})
_BUILTIN_IDE: Final = frozenset({"malta", "sun4u", "g3beige"})


def is_x86(domain: Domain) -> bool:
    """i686 or x86_64."""
    return domain.arch in X86


def is_s390(domain: Domain) -> bool:
    """s390 or s390x, whatever the machine type."""
    return domain.arch in S390


def is_ppc64(domain: Domain) -> bool:
    """ppc64 or ppc64le, whatever the machine type."""
    return domain.arch in PPC64


def is_q35(domain: Domain) -> bool:
    """A q35 of any version.

    Follows: qemuDomainIsQ35
    """
    machine = domain.machine or ""
    return domain.arch in X86 and (machine == "q35" or machine.startswith("pc-q35-"))


def is_i440fx(domain: Domain) -> bool:
    """A pc of any version; old Red Hat names count.

    Follows: qemuDomainIsI440FX
    """
    machine = domain.machine or ""
    return domain.arch in X86 and (
        machine == "pc" or machine.startswith(("pc-0.", "pc-1.", "pc-i440fx-", "rhel"))
    )


def is_isapc(domain: Domain) -> bool:
    """A PC without PCI."""
    return domain.arch in X86 and domain.machine == "isapc"


def is_s390_ccw(domain: Domain) -> bool:
    """An s390-ccw-virtio of any version.

    Follows: qemuDomainIsS390CCW
    """
    return domain.arch in S390 and (domain.machine or "").startswith("s390-ccw")


def is_arm_virt(domain: Domain) -> bool:
    """A virt of any version, on ARM.

    Follows: qemuDomainIsARMVirt
    """
    return domain.arch in ARM_VIRT and _virt(domain.machine)


def is_riscv_virt(domain: Domain) -> bool:
    """A virt of any version, on RISC-V.

    Follows: qemuDomainIsRISCVVirt
    """
    return domain.arch in RISCV and _virt(domain.machine)


def has_named_pci_buses(domain: Domain) -> bool:
    """The first PCI bus is called "pci.0", since there may be more; other boards call their only one "pci".

    Follows: virQEMUCapsHasPCIMultiBus
    """
    arch = domain.arch
    return (
        arch in X86
        or arch in PPC64
        or arch in S390
        or arch == "ppc"
        or is_arm_virt(domain)
        or is_riscv_virt(domain)
    )


def is_pseries(domain: Domain) -> bool:
    """A pseries of any version.

    Follows: qemuDomainIsPSeries
    """
    machine = domain.machine or ""
    return domain.arch in PPC64 and (machine == "pseries" or machine.startswith("pseries-"))


def is_mips_malta(domain: Domain) -> bool:
    """The MIPS Malta board.

    Follows: qemuDomainIsMipsMalta
    """
    return domain.arch in MIPS and domain.machine == "malta"


def has_builtin_ide(domain: Domain) -> bool:
    """The board carries an IDE controller.

    Follows: qemuDomainHasBuiltinIDE
    """
    return domain.machine in _BUILTIN_IDE or is_i440fx(domain)


def has_builtin_esp(domain: Domain) -> bool:
    """The board carries an ESP SCSI controller (ncr53c90).

    Follows: qemuDomainHasBuiltinESP
    """
    arch, machine = domain.arch, domain.machine
    return (
        arch == "sparc"
        or (arch in _MIPS64 and machine in ("magnum", "pica61"))
        or (arch == "m68k" and machine == "q800")
    )


def _virt(machine: str | None) -> bool:
    return machine is not None and (machine == "virt" or machine.startswith("virt-"))


VCPUS_WITHOUT_EIM: Final = 255
"""The most CPUs that interrupts reach without the extended mode of an I/O MMU."""


def needs_eim(domain: Domain) -> bool:
    """Whether the guest has more CPUs than interrupts reach without an I/O MMU.

    Follows: qemuDomainNeedsIOMMUWithEIM
    """
    most = domain.vcpu.value if domain.vcpu is not None else None
    return is_q35(domain) and (most or 1) > VCPUS_WITHOUT_EIM
