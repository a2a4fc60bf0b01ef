"""What libvirt fills in while it parses the domain itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qcaps.domainxml.codec import evolve
from qcaps.rules.definition.completion import (
    boot,
    clock,
    cpu,
    features,
    identity,
    memory,
    numa,
    tuning,
    vcpus,
)

if TYPE_CHECKING:
    from qcaps.domainxml.domain import Domain
    from qcaps.domainxml.security import Seclabel
    from qcaps.rules.draft import Draft

_LIFECYCLE = {"on_poweroff": "destroy", "on_reboot": "restart", "on_crash": "destroy"}


def parse_domain(draft: Draft, arch: str) -> None:
    """Fills in everything but the devices. `arch`: the host's, for a file that names none.

    Follows: virDomainDefParseXML
    """
    domain = draft.domain
    draft.set(**identity.parsed(domain), **memory.parsed(domain), **vcpus.parsed(domain))
    domain = draft.domain
    changes: dict[str, Any] = vcpus.iothreads(domain)
    changes |= numa.tuned(domain)
    changes |= cpu.parsed(domain, draft.release)
    changes |= features.parsed(domain)
    changes |= clock.parsed(domain)
    changes |= boot.parsed(domain, arch)
    changes |= _lifecycle(domain)
    changes |= tuning.parsed(evolve(domain, **changes))
    if domain.seclabel:
        changes["seclabel"] = tuple(filter(None, map(_label, domain.seclabel)))
    draft.set(**changes)


# Follows: virDomainDefLifecycleParse
def _lifecycle(domain: Domain) -> dict[str, Any]:
    changes: dict[str, Any] = {name: getattr(domain, name) or word for name, word in _LIFECYCLE.items()}
    if domain.on_lockfailure == "default":
        changes["on_lockfailure"] = None
    if domain.pm is not None and all(
        state is None or state.enabled is None
        for state in (domain.pm.suspend_to_mem, domain.pm.suspend_to_disk)
    ):
        changes["pm"] = None
    elif domain.pm is not None:
        changes["pm"] = evolve(
            domain.pm,
            **{
                name: None
                for name in ("suspend_to_mem", "suspend_to_disk")
                if (state := getattr(domain.pm, name)) is not None and state.enabled is None
            },
        )
    if domain.perf is not None and not domain.perf.event:
        changes["perf"] = None
    return changes


def _label(label: Seclabel) -> Seclabel | None:
    """Dynamic labels relabel; without any security driver one without a model is of none.

    Follows: virSecurityLabelDefParseXML, virSecurityLabelDefsParseXML
    """
    kind = label.type
    if label.model in (None, "none") or kind == "none":
        model = label.model or "none"
        return evolve(label, type="none", model=model, relabel=None, label=None, baselabel=None)
    if kind is None:
        return None
    relabel = kind == "dynamic" if label.relabel is None else label.relabel
    other = "label" if kind == "dynamic" else "baselabel"
    return evolve(label, relabel=relabel, **{other: None})
