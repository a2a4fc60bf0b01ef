"""`<features>`: what the machine offers; libvirt refuses any word here that it does not know."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, ClassVar, Literal

from qcaps.domainxml.codec import FLAG, ON_OFF, Element, Name, Newer
from qcaps.domainxml.element import Node
from qcaps.domainxml.memory import Size
from qcaps.domainxml.numbers import ANY_U32
from qcaps.domainxml.syntax import U32
from qcaps.release import R11_3

_FEWEST_RETRIES = 4095
_LONGEST_VENDOR = 12
_RING_SIZES = tuple(2**power for power in range(10, 17))


class FeatureState(Element):
    """A feature that may be switched; there without a state means on."""

    state: Annotated[bool, ON_OFF] | None = None


class RequiredState(Element):
    """A feature whose state must be given."""

    state: Annotated[bool, ON_OFF]


class Apic(Element):
    """The APIC, and whether interrupts may end without an exit."""

    TAG: ClassVar[str] = "apic"
    eoi: Annotated[bool, ON_OFF] | None = None


class HypervSpinlocks(RequiredState):
    """Retries before a spinning CPU tells the hypervisor; at least 4095."""

    TAG: ClassVar[str] = "spinlocks"
    retries: ANY_U32 | None = None

    @staticmethod
    def passed_over(node: Node) -> Collection[str]:
        """How often, where they are off (virDomainFeaturesHyperVDefParse)."""
        return () if node.get("state") == "on" else ("retries",)

    def refusal(self) -> str:
        """Too few retries, or none given."""
        if not self.state:
            return ""
        return "attribute retries must be at least 4095" if (self.retries or 0) < _FEWEST_RETRIES else ""


class HypervStimer(RequiredState):
    """Synthetic timers, and whether they may interrupt directly."""

    TAG: ClassVar[str] = "stimer"
    direct: RequiredState | None = None


class HypervVendorId(RequiredState):
    """The vendor that CPUID shows; up to 12 characters."""

    TAG: ClassVar[str] = "vendor_id"
    value: str | None = None

    def refusal(self) -> str:
        """No vendor, or one that QEMU's command line cannot hold."""
        if not self.state:
            return ""
        if self.value is None:
            return "attribute value is missing"
        if len(self.value.encode()) > _LONGEST_VENDOR:
            return f"attribute value is longer than {_LONGEST_VENDOR} characters"
        return "attribute value may have no comma" if "," in self.value else ""


class Hyperv(Element):
    """Hyper-V enlightenments."""

    TAG: ClassVar[str] = "hyperv"
    MERGED: ClassVar[bool] = True
    LAST_COUNTS: ClassVar[bool] = True
    mode: Literal["custom", "passthrough"] | None = None
    relaxed: RequiredState | None = None
    vapic: RequiredState | None = None
    spinlocks: HypervSpinlocks | None = None
    vpindex: RequiredState | None = None
    runtime: RequiredState | None = None
    synic: RequiredState | None = None
    stimer: HypervStimer | None = None
    reset: RequiredState | None = None
    vendor_id: HypervVendorId | None = None
    frequencies: RequiredState | None = None
    reenlightenment: RequiredState | None = None
    tlbflush: RequiredState | None = None
    ipi: RequiredState | None = None
    evmcs: RequiredState | None = None
    avic: RequiredState | None = None
    emsr_bitmap: Annotated[RequiredState, Newer(R11_3)] | None = None
    xmm_input: Annotated[RequiredState, Newer(R11_3)] | None = None


class KvmDirtyRing(RequiredState):
    """The ring of dirtied pages; a power of two from 1024 to 65536 entries."""

    TAG: ClassVar[str] = "dirty-ring"
    size: U32 | None = None

    def refusal(self) -> str:
        """A size that is no power of two, too small or too large."""
        if not self.state or self.size in _RING_SIZES:
            return ""
        return "attribute size must be a power of two from 1024 to 65536"


class Kvm(Element):
    """What KVM shows the guest."""

    TAG: ClassVar[str] = "kvm"
    LAST_COUNTS: ClassVar[bool] = True
    hidden: RequiredState | None = None
    hint_dedicated: Annotated[RequiredState, Name("hint-dedicated")] | None = None
    poll_control: Annotated[RequiredState, Name("poll-control")] | None = None
    pv_ipi: Annotated[RequiredState, Name("pv-ipi")] | None = None
    dirty_ring: Annotated[KvmDirtyRing, Name("dirty-ring")] | None = None


class XenPassthrough(RequiredState):
    """Host devices under Xen."""

    TAG: ClassVar[str] = "passthrough"
    mode: Literal["sync_pt", "share_pt"] | None = None


class Xen(Element):
    """Features of Xen alone."""

    TAG: ClassVar[str] = "xen"
    MERGED: ClassVar[bool] = True
    LAST_COUNTS: ClassVar[bool] = True
    e820_host: RequiredState | None = None
    passthrough: XenPassthrough | None = None


class ProcessCapabilities(Element):
    """The process capabilities of a container; its children are kept verbatim."""

    TAG: ClassVar[str] = "capabilities"
    MERGED: ClassVar[bool] = True
    LAST_COUNTS: ClassVar[bool] = True
    policy: Literal["default", "allow", "deny"] | None = None


class Gic(Element):
    """ARM's interrupt controller."""

    TAG: ClassVar[str] = "gic"
    version: Literal["host", "2", "3"] | None = None


class Smm(FeatureState):
    """System management mode, and the memory it keeps (MiB where no unit is given)."""

    TAG: ClassVar[str] = "smm"
    tseg: Size | None = None


class Ioapic(Element):
    """Who emulates the I/O APIC."""

    TAG: ClassVar[str] = "ioapic"
    driver: Literal["qemu", "kvm"] | None = None


class Hpt(Element):
    """The hash page table of a pSeries guest."""

    TAG: ClassVar[str] = "hpt"
    resizing: Literal["enabled", "disabled", "required"] | None = None
    maxpagesize: Size | None = None


class Msrs(Element):
    """What an unknown model-specific register does."""

    TAG: ClassVar[str] = "msrs"
    unknown: Literal["ignore", "fault"]


class Cfpc(Element):
    """Whether the cache flush on a privilege change is sound (pSeries)."""

    TAG: ClassVar[str] = "cfpc"
    value: Literal["broken", "workaround", "fixed"] | None = None


class Sbbc(Element):
    """Whether the bounds check against speculation is sound (pSeries)."""

    TAG: ClassVar[str] = "sbbc"
    value: Literal["broken", "workaround", "fixed"] | None = None


class Ibs(Element):
    """Whether indirect branches are safe from speculation (pSeries)."""

    TAG: ClassVar[str] = "ibs"
    value: Literal["broken", "workaround", "fixed-ibs", "fixed-ccd", "fixed-na"] | None = None


class Tcg(Element):
    """QEMU's own translator."""

    TAG: ClassVar[str] = "tcg"
    tb_cache: Annotated[Size, Name("tb-cache")] | None = None


class Features(Element):
    """What the machine offers."""

    TAG: ClassVar[str] = "features"
    MERGED: ClassVar[bool] = True
    LAST_COUNTS: ClassVar[bool] = True
    acpi: Annotated[bool, FLAG] = False
    apic: Apic | None = None
    pae: Annotated[bool, FLAG] = False
    hap: FeatureState | None = None
    viridian: Annotated[bool, FLAG] = False
    privnet: Annotated[bool, FLAG] = False
    hyperv: Hyperv | None = None
    kvm: Kvm | None = None
    pvspinlock: FeatureState | None = None
    capabilities: ProcessCapabilities | None = None
    pmu: FeatureState | None = None
    vmport: FeatureState | None = None
    gic: Gic | None = None
    smm: Smm | None = None
    ioapic: Ioapic | None = None
    hpt: Hpt | None = None
    vmcoreinfo: FeatureState | None = None
    htm: RequiredState | None = None
    nested_hv: Annotated[RequiredState, Name("nested-hv")] | None = None
    msrs: Msrs | None = None
    ccf_assist: Annotated[RequiredState, Name("ccf-assist")] | None = None
    xen: Xen | None = None
    cfpc: Cfpc | None = None
    sbbc: Sbbc | None = None
    ibs: Ibs | None = None
    tcg: Tcg | None = None
    ps2: Annotated[FeatureState, Newer(R11_3)] | None = None
