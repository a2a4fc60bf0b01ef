"""Targets by libvirt's names, and where libvirt's names and preferences differ from QEMU's."""

from __future__ import annotations

from typing import Final

X86: Final = frozenset({"i686", "x86_64"})
ARM: Final = frozenset({"armv6l", "armv7b", "armv7l", "aarch64"})
S390: Final = frozenset({"s390", "s390x"})
PPC64: Final = frozenset({"ppc64", "ppc64le"})

PREFERRED_MACHINES: Final[dict[str, str]] = {
    "aarch64": "integratorcp",
    "alpha": "clipper",
    "armv6l": "integratorcp",
    "armv7b": "integratorcp",
    "armv7l": "integratorcp",
    "cris": "axis-dev88",
    "i686": "pc",
    "lm32": "lm32-evr",
    "m68k": "mcf5208evb",
    "microblaze": "petalogix-s3adsp1800",
    "microblazeel": "petalogix-s3adsp1800",
    "mips": "malta",
    "mips64": "malta",
    "mips64el": "malta",
    "mipsel": "malta",
    "openrisc": "or1k-sim",
    "ppc": "g3beige",
    "ppc64": "pseries",
    "ppc64le": "pseries",
    "ppcemb": "bamboo",
    "ppcle": "g3beige",
    "riscv32": "spike_v1.10",
    "riscv64": "spike_v1.10",
    "s390x": "s390-ccw-virtio",
    "sh4": "shix",
    "sh4eb": "shix",
    "sparc": "SS-5",
    "sparc64": "sun4u",
    "unicore32": "puv3",
    "x86_64": "pc",
    "xtensa": "sim",
    "xtensaeb": "sim",
}
"""The machine type that libvirt lists first, before QEMU's own default."""

ARCHES: Final = {"arm": "armv7l", "i386": "i686", "or1k": "openrisc", "or32": "openrisc", "hppa": "parisc"}
"""QEMU's name of a target to libvirt's, where they differ."""

PPC64_CPUS: Final = {
    name.lower(): name
    for name in ("POWER6", "POWER7", "POWER8", "POWER9", "POWER10", "POWERPC_e5500", "POWERPC_e6500")
}
"""QEMU's name of a CPU model in lower case to libvirt's."""

X86_FEATURES: Final = {
    "cmp_legacy": "cmp-legacy",
    "ds_cpl": "ds-cpl",
    "fxsr_opt": "fxsr-opt",
    "kvm_pv_eoi": "kvm-pv-eoi",
    "kvm_pv_unhalt": "kvm-pv-unhalt",
    "lahf_lm": "lahf-lm",
    "nodeid_msr": "nodeid-msr",
    "pclmuldq": "pclmulqdq",
    "perfctr_core": "perfctr-core",
    "perfctr_nb": "perfctr-nb",
    "tsc_adjust": "tsc-adjust",
}
"""Features of x86 as libvirt spells them to QEMU's names, which the cache file and the command line use."""

HYPERV: Final = (
    "relaxed",
    "vapic",
    "spinlocks",
    "vpindex",
    "runtime",
    "synic",
    "stimer",
    "reset",
    "vendor_id",
    "frequencies",
    "reenlightenment",
    "tlbflush",
    "ipi",
    "evmcs",
    "avic",
)
"""The Hyper-V enlightenments libvirt knows, in the order of the cache file."""
