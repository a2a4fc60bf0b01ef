"""What libvirt fills in while it parses the domain itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qcaps.domain.codec import evolve
from qcaps.pipeline.postparse import boot, clock, cpu, features, identity, memory, numa, vcpus
from qcaps.pipeline.postparse.sets import canonical

if TYPE_CHECKING:
    from qcaps.domain.domain import Domain
    from qcaps.domain.security import Seclabel
    from qcaps.domain.tuning import Cputune
    from qcaps.pipeline.draft import Draft

_LIFECYCLE = {"on_poweroff": "destroy", "on_reboot": "restart", "on_crash": "destroy"}


def parse_domain(draft: Draft, arch: str) -> None:
    """Fills in everything but the devices. `arch`: the host's, for a file that names none."""
    domain = draft.domain
    draft.set(id=None, **identity.parsed(domain), **memory.parsed(domain), **vcpus.parsed(domain))
    domain = draft.domain
    changes: dict[str, Any] = vcpus.iothreads(domain)
    changes |= numa.tuned(domain)
    changes |= cpu.parsed(domain)
    changes |= features.parsed(domain)
    changes |= clock.parsed(domain)
    changes |= boot.parsed(domain, arch)
    changes |= _lifecycle(domain)
    if domain.cputune is not None:
        changes["cputune"] = _pinning(domain.cputune)
    if domain.seclabel:
        changes["seclabel"] = tuple(_label(one, len(domain.seclabel)) for one in domain.seclabel)
    draft.set(**changes)


def _lifecycle(domain: Domain) -> dict[str, Any]:
    changes: dict[str, Any] = {name: getattr(domain, name) or word for name, word in _LIFECYCLE.items()}
    if domain.on_lockfailure == "default":
        changes["on_lockfailure"] = None
    if domain.pm is not None and all(
        state is None or state.enabled is None
        for state in (domain.pm.suspend_to_mem, domain.pm.suspend_to_disk)
    ):
        changes["pm"] = None
    if domain.perf is not None and not domain.perf.event:
        changes["perf"] = None
    return changes


def _pinning(tune: Cputune) -> Cputune | None:
    """Pins in order, sets in libvirt's spelling, one scheduler an element, zeros left out."""
    changes: dict[str, Any] = {
        name: value or None
        for name, value in tune.__dict__.items()
        if name != "shares" and name.endswith(("period", "quota"))
    }
    pins = {one.vcpu: evolve(one, cpuset=canonical(one.cpuset)) for one in tune.vcpupin}
    changes["vcpupin"] = tuple(pins[number] for number in sorted(pins))
    changes["iothreadpin"] = tuple(evolve(one, cpuset=canonical(one.cpuset)) for one in tune.iothreadpin)
    if tune.emulatorpin is not None:
        changes["emulatorpin"] = evolve(tune.emulatorpin, cpuset=canonical(tune.emulatorpin.cpuset))
    changed = evolve(tune, **changes)
    return changed if any(value for name, value in changed.__dict__.items() if name != "line") else None


def _label(label: Seclabel, count: int) -> Seclabel:
    """Dynamic labels relabel; without any security driver a lone label without a model is none at all."""
    kind = label.type or "dynamic"
    alone = count == 1 and label.model is None
    if alone and (kind == "none" or (kind == "dynamic" and not label.baselabel)):
        return evolve(label, type="none", model="none", relabel=None, label=None, imagelabel=None)
    if kind == "none":
        return evolve(label, type=kind, relabel=None, label=None, imagelabel=None, baselabel=None)
    relabel = kind == "dynamic" if label.relabel is None else label.relabel
    return evolve(label, type=kind, relabel=relabel, imagelabel=None)
