"""What the machine offers: states that are implied, sizes in libvirt's units, ARM's interrupt controller."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from lxml import etree

from qcaps.domainxml.codec import evolve
from qcaps.domainxml.devices import Iommu
from qcaps.domainxml.features import Features, Gic, Hyperv, Ioapic
from qcaps.domainxml.memory import kib
from qcaps.release import R9_0, R11_3, since
from qcaps.rules.machine import is_arm_virt, is_q35, needs_eim
from qcaps.rules.refusal import Refused
from qcaps.rules.shared.sizes import in_bytes, in_kib, pretty

if TYPE_CHECKING:
    from qcaps.capabilities.model import Capabilities
    from qcaps.domainxml.domain import Domain
    from qcaps.domainxml.features import Hpt, Kvm, Smm
    from qcaps.release import Since
    from qcaps.rules.draft import Draft

_ON_UNLESS_TOLD: Final = ("hap", "pvspinlock", "pmu", "vmport", "vmcoreinfo", "smm", "ps2")
_NOTHING_WITHOUT: Final = (("ioapic", "driver"), ("cfpc", "value"), ("sbbc", "value"), ("ibs", "value"))
_MIB: Final = 1024 * 1024


def parsed(domain: Domain) -> dict[str, Any]:
    """Features that are there without a state are on; settings of those that are off go.

    Follows: virDomainFeaturesDefParse
    """
    features = domain.features
    if features is None:
        return {}
    changes: dict[str, Any] = {}
    for name in _ON_UNLESS_TOLD:
        feature = getattr(features, name)
        if feature is not None and feature.state is None:
            changes[name] = evolve(feature, state=True)
    for name, field in _NOTHING_WITHOUT:
        feature = getattr(features, name)
        if feature is not None and getattr(feature, field) is None:
            changes[name] = None
    if features.capabilities is not None and features.capabilities.policy in (None, "default"):
        changes["capabilities"] = None
    changes |= _nested(evolve(features, **changes))
    return {"features": evolve(features, **changes)}


def _nested(features: Features) -> dict[str, Any]:
    """Features with settings of their own."""
    changes: dict[str, Any] = {}
    if features.hyperv is not None:
        changes["hyperv"] = _hyperv(features.hyperv)
    if features.kvm is not None:
        changes["kvm"] = _kvm(features.kvm)
    if features.smm is not None and features.smm.tseg is not None:
        changes["smm"] = _smm(features.smm)
    if features.hpt is not None:
        changes["hpt"] = _hpt(features.hpt)
    if features.tcg is not None:
        cache = features.tcg.tb_cache
        own = evolve(features.tcg, tb_cache=None if cache is None else in_kib(cache))
        changes["tcg"] = own if kib(own.tb_cache) else None
    if (
        features.xen is not None
        and features.xen.passthrough is not None
        and not features.xen.passthrough.state
    ):
        changes["xen"] = evolve(features.xen, passthrough=evolve(features.xen.passthrough, mode=None))
    return changes


# Follows: virDomainFeaturesHyperVDefParse
def _hyperv(hyperv: Hyperv) -> Hyperv:
    changes: dict[str, Any] = {"mode": hyperv.mode or "custom"}
    if hyperv.spinlocks is not None and not hyperv.spinlocks.state:
        changes["spinlocks"] = evolve(hyperv.spinlocks, retries=None)
    if hyperv.vendor_id is not None and not hyperv.vendor_id.state:
        changes["vendor_id"] = evolve(hyperv.vendor_id, value=None)
    stimer = hyperv.stimer
    if stimer is not None and stimer.direct is not None and not (stimer.state and stimer.direct.state):
        changes["stimer"] = evolve(stimer, direct=None)
    return evolve(hyperv, **changes)


# Follows: virDomainFeaturesKVMDefParse
def _kvm(kvm: Kvm) -> Kvm:
    ring = kvm.dirty_ring
    return kvm if ring is None or ring.state else evolve(kvm, dirty_ring=evolve(ring, size=None))


def _smm(smm: Smm) -> Smm:
    if not smm.state or smm.tseg is None or smm.tseg.value is None:
        return evolve(smm, tseg=None)
    value, unit = pretty(in_bytes(smm.tseg, "MiB"))
    return evolve(smm, tseg=evolve(smm.tseg, value=value, unit=unit))


def _hpt(hpt: Hpt) -> Hpt | None:
    size = None if hpt.maxpagesize is None or not kib(hpt.maxpagesize) else in_kib(hpt.maxpagesize)
    return None if size is None and hpt.resizing is None else evolve(hpt, maxpagesize=size)


def complete(draft: Draft, caps: Capabilities) -> None:
    """ARM's virt always has a GIC, of the highest version the guest can use; TSEG needs q35.

    Follows: qemuDomainDefEnableDefaultFeatures, qemuDomainDefTsegPostParse
    """
    _complete_ioapic(draft)
    domain = draft.domain
    features = domain.features
    gic = features.gic if features is not None else None
    if (gic is None and is_arm_virt(domain)) or (gic is not None and gic.version is None):
        version = _gic_version(domain, caps)
        draft.set(features=evolve(features or Features(), gic=evolve(gic or Gic(), version=version)))
    smm = features.smm if features is not None else None
    if smm is None or not smm.state or smm.tseg is None:
        return
    if not is_q35(domain):
        raise Refused("unsupported configuration: SMM's TSEG needs a q35 machine", smm)
    if "mch.extended-tseg-mbytes" not in caps:
        raise Refused("unsupported configuration: this QEMU cannot set the size of SMM's TSEG", smm)
    if in_bytes(smm.tseg, "MiB") % _MIB:
        raise Refused("unsupported configuration: the size of SMM's TSEG must be whole MiB", smm)


_IOAPIC_OF_QEMU: Final[Since[bool]] = {R9_0: False, R11_3: True}
"""Whether the interrupts that an I/O MMU remaps bring the I/O APIC they need."""


def _complete_ioapic(draft: Draft) -> None:
    """Follows: qemuDomainDefEnableDefaultFeatures."""
    domain = draft.domain
    iommus = draft.of(Iommu)
    if not iommus or not since(_IOAPIC_OF_QEMU, draft.release):
        return
    driver = iommus[0].driver
    features = domain.features or Features()
    if features.ioapic is None and ((driver is not None and driver.intremap) or needs_eim(domain)):
        draft.set(features=evolve(features, ioapic=Ioapic(driver="qemu")))


def _gic_version(domain: Domain, caps: Capabilities) -> str:
    """The emulated version 3 cannot do MSI, so TCG takes 2."""
    by = "kernel" if domain.type == "kvm" else "emulated"
    if domain.type == "qemu":
        return "2"
    for raw in caps.rest:
        if raw.lstrip().startswith(b"<gic"):
            node = etree.fromstring(raw)
            if node.get("version") == "3" and node.get(by) == "yes":
                return "3"
    return "2"


def finish(draft: Draft) -> None:
    """Drops an element without features."""
    features = draft.domain.features
    if features is not None and not any(value for name, value in features.__dict__.items() if name != "line"):
        draft.set(features=None)
