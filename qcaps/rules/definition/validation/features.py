"""`<features>` against the architecture, the machine and QEMU, in the order of libvirt's list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qcaps.domainxml.memory import kib
from qcaps.release import R9_0, R12_8, since
from qcaps.rules.shared.refuse import need, unsupported

if TYPE_CHECKING:
    from qcaps.capabilities.model import Capabilities
    from qcaps.domainxml.codec import Element
    from qcaps.domainxml.features import Features, FeatureState, Hyperv
    from qcaps.release import Since
    from qcaps.rules.shared.guest import Guest

_MIB_IN_KIB = 1024

_PSERIES_FLAGS = {
    "htm": "machine.pseries.cap-htm",
    "nested_hv": "machine.pseries.cap-nested-hv",
    "ccf_assist": "machine.pseries.cap-ccf-assist",
    "cfpc": "machine.pseries.cap-cfpc",
    "sbbc": "machine.pseries.cap-sbbc",
    "ibs": "machine.pseries.cap-ibs",
}
"""Features of the pSeries machine alone, and the flag each needs."""


def check_features(guest: Guest, caps: Capabilities) -> None:
    """Refuses a feature that the guest's machine, or this QEMU, does not have.

    Follows: qemuValidateDomainDefFeatures
    """
    features = guest.domain.features
    if features is None:
        return
    _check_x86_features(guest, features)
    if features.hyperv is not None and since(_HYPERV_HANGS_TOGETHER, guest.draft.release):
        _check_hyperv(guest, features.hyperv)
    if features.pmu is not None and features.pmu.state is False and guest.is_ppc64:
        raise unsupported(f"the PMU is always there on architecture '{guest.arch}'", features)
    _check_hpt(guest, caps, features)
    if features.vmport is not None:
        _check_vmport(guest, caps, features)
    if features.gic is not None and not guest.is_arm_virt:
        raise _out_of_place("gic", guest, features)
    if _is_on(features.vmcoreinfo):
        need(caps, "vmcoreinfo", "<vmcoreinfo>", features)
    _check_pseries(guest, caps, features)
    if features.tcg is not None:
        if guest.domain.type != "qemu":
            raise unsupported(f"<tcg> does not go with domain type '{guest.domain.type}'", features.tcg)
        if kib(features.tcg.tb_cache) % _MIB_IN_KIB:
            raise unsupported("tb-cache is no whole number of MiB", features.tcg)


_HYPERV_HANGS_TOGETHER: Final[Since[bool]] = {R9_0: False, R12_8: True}
"""Whether an enlightenment without the one it needs is refused; before, QEMU says so at the start."""

_HYPERV_NEEDS: Final = (("stimer", "synic"), ("tlbflush", "vpindex"), ("ipi", "vpindex"), ("evmcs", "vapic"))


def _check_hyperv(guest: Guest, hyperv: Hyperv) -> None:
    if hyperv.mode == "passthrough":
        return
    for name, needed in _HYPERV_NEEDS:
        feature = getattr(hyperv, name)
        if feature is None or not feature.state:
            continue
        if name == "stimer":
            timers = guest.domain.clock.timer if guest.domain.clock is not None else ()
            if not any(one.name == "hypervclock" and one.present is not False for one in timers):
                raise unsupported("hyperv feature 'stimer' needs the timer 'hypervclock'", feature)
        other = getattr(hyperv, needed)
        if other is None or not other.state:
            raise unsupported(f"hyperv feature '{name}' needs '{needed}'", feature)


def _is_on(feature: FeatureState | None) -> bool:
    return feature is not None and feature.state is not False


def _out_of_place(name: str, guest: Guest, element: Element) -> Exception:
    return unsupported(f"feature '{name}' is not there for {guest.where}", element)


def _check_x86_features(guest: Guest, features: Features) -> None:
    if guest.is_x86:
        return
    if features.apic is not None and features.apic.eoi is not None:
        raise _out_of_place("apic' with 'eoi", guest, features)
    if features.hyperv is not None and not guest.is_arm_virt:
        raise _out_of_place("hyperv", guest, features)
    if features.pvspinlock is not None:
        raise _out_of_place("pvspinlock", guest, features)
    if features.ioapic is not None and features.ioapic.driver is not None:
        raise _out_of_place("ioapic", guest, features)


# Follows: qemuValidateDomainDefPSeriesFeature
def _check_hpt(guest: Guest, caps: Capabilities, features: Features) -> None:
    hpt = features.hpt
    if hpt is None or not (hpt.resizing or kib(hpt.maxpagesize)):
        return
    if not guest.is_pseries:
        raise _out_of_place("hpt", guest, hpt)
    if kib(hpt.maxpagesize):
        need(caps, "machine.pseries.cap-hpt-max-page-size", "maxpagesize of <hpt>", hpt)


def _check_vmport(guest: Guest, caps: Capabilities, features: Features) -> None:
    has_port = guest.is_i440fx or guest.is_q35 or guest.machine == "isapc"
    if not has_port:
        raise _out_of_place("vmport", guest, features)
    need(caps, "machine-vmport-opt", "<vmport>", features)
    if features.ps2 is not None and features.ps2.state is False and features.vmport and features.vmport.state:
        raise unsupported("<vmport> needs the feature <ps2>, which is off", features)


# Follows: qemuValidateDomainDefPSeriesFeature
def _check_pseries(guest: Guest, caps: Capabilities, features: Features) -> None:
    for name, flag in _PSERIES_FLAGS.items():
        feature = getattr(features, name)
        if feature is None or getattr(feature, "value", True) is None:
            continue
        if not guest.is_pseries:
            raise _out_of_place(name.replace("_", "-"), guest, feature)
        need(caps, flag, f"<{name.replace('_', '-')}>", feature)
