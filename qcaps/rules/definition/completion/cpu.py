"""The CPU the guest sees: what the parser makes of it, the machine's default, checks at start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qcaps.capabilities.targets import ARM, PPC64, S390, X86
from qcaps.domainxml.codec import evolve
from qcaps.domainxml.cpu import Cpu, CpuFeature, CpuTopology, GuestCpuModel
from qcaps.release import R9_0, R11_3, since
from qcaps.rules.definition.completion import numa
from qcaps.rules.refusal import Refused

if TYPE_CHECKING:
    from qcaps.capabilities.model import Capabilities
    from qcaps.domainxml.domain import Domain
    from qcaps.release import Release, Since
    from qcaps.rules.draft import Draft

_MODELLED = X86 | ARM | S390 | PPC64
"""Architectures whose CPU models libvirt knows."""

_DEFAULT_UNDER_KVM = X86 | S390 | PPC64
"""Where QEMU's default CPU model is one that KVM can run."""

_OF_THE_HOST = frozenset({"host-passthrough", "maximum"})


def named(cpu: Cpu | None) -> str | None:
    """The model the file names."""
    return cpu.model.value if cpu is not None and cpu.model is not None and cpu.model.value else None


_HAS_CLUSTERS: Final[Since[bool]] = {R9_0: False, R11_3: True}
"""Whether a topology counts clusters."""


def parsed(domain: Domain, release: Release) -> dict[str, Any]:
    """Defaults of the parser; a mode is there unless only topology, cache or nodes are given.

    Follows: virCPUDefParseXML
    """
    cpu = domain.cpu
    if cpu is None:
        return {}
    mode = cpu.mode or "custom"
    topology = cpu.topology
    return {
        "cpu": evolve(
            cpu,
            mode=mode,
            match=(cpu.match or "exact") if mode == "custom" else None,
            check=None if cpu.check == "default" else cpu.check,
            model=_model(cpu, mode),
            vendor=None if mode in _OF_THE_HOST else cpu.vendor,
            feature=tuple(one if one.policy else evolve(one, policy="require") for one in cpu.feature),
            topology=topology if topology is None else _topology(topology, release),
            numa=cpu.numa if cpu.numa is None else numa.parsed(cpu.numa),
        )
    }


def _topology(topology: CpuTopology, release: Release) -> CpuTopology:
    if since(_HAS_CLUSTERS, release):
        return evolve(topology, dies=topology.dies or 1, clusters=topology.clusters or 1)
    return evolve(topology, dies=topology.dies or 1)


def _model(cpu: Cpu, mode: str) -> GuestCpuModel | None:
    model = cpu.model
    if model is None or mode in _OF_THE_HOST or not (model.value or model.vendor_id):
        return None
    return evolve(model, fallback=(model.fallback or "allow") if model.value else None)


def set_default(draft: Draft, caps: Capabilities) -> None:
    """Names the machine's own CPU model where the file names none.

    Follows: qemuDomainDefSetDefaultCPU
    """
    domain = draft.domain
    cpu = domain.cpu
    if cpu is not None and (cpu.mode not in (None, "custom") or named(cpu)):
        return
    if domain.arch not in _MODELLED or (domain.arch not in _DEFAULT_UNDER_KVM and domain.type != "qemu"):
        return
    model = _default_model(domain, caps)
    if model is None:
        return
    cpu = cpu or Cpu()
    if model != "host":
        chosen = GuestCpuModel(fallback="forbid", value=model)
        draft.set(cpu=evolve(cpu, mode="custom", match="exact", check="none", model=chosen))
        return
    if domain.type != "kvm":
        raise Refused("internal error: QEMU's default CPU model 'host' needs KVM", domain)
    accelerator = caps.accelerator(domain.type)
    of_the_host = accelerator is not None and accelerator.host_cpu is not None
    mode = "host-model" if domain.arch in S390 and of_the_host else "host-passthrough"
    draft.set(cpu=evolve(cpu, mode=mode, match=None))


def _default_model(domain: Domain, caps: Capabilities) -> str | None:
    accelerator = caps.accelerator(domain.type)
    machine = accelerator.machines_by_name.get(domain.machine or "") if accelerator is not None else None
    if accelerator is None or machine is None or machine.name != domain.machine or not machine.default_cpu:
        return None
    return next((one.name for one in accelerator.cpus if one.typename == machine.default_cpu), None)


def complete(draft: Draft, caps: Capabilities) -> None:
    """Vector lengths imply SVE; a host's CPU is migratable; how closely the CPU is checked at start.

    Follows: qemuDomainDefCPUPostParse
    """
    domain = draft.domain
    cpu = domain.cpu
    if cpu is None:
        return
    cpu = _with_sve(cpu)
    if cpu.mode == "host-passthrough" and cpu.migratable is None:
        if "cpu.migratable" in caps:
            cpu = evolve(cpu, migratable=True)
        elif domain.arch in X86:
            cpu = evolve(cpu, migratable=False)
    if cpu.check is None and (cpu.mode not in (None, "custom") or named(cpu)):
        cpu = evolve(cpu, check=_check(cpu, domain))
    draft.set(cpu=cpu)


def _check(cpu: Cpu, domain: Domain) -> str:
    if cpu.mode in _OF_THE_HOST or (cpu.mode in (None, "custom") and domain.type == "qemu"):
        return "none"
    return "partial"


def _with_sve(cpu: Cpu) -> Cpu:
    if not any(one.name != "sve" and one.name.startswith("sve") for one in cpu.feature):
        return cpu
    own = next((one for one in cpu.feature if one.name == "sve"), None)
    if own is None:
        return evolve(cpu, feature=(*cpu.feature, CpuFeature(policy="require", name="sve")))
    if own.policy in ("disable", "forbid"):
        raise Refused("unsupported configuration: SVE is off, but its vector lengths are given", own)
    required = evolve(own, policy="require")
    return evolve(cpu, feature=tuple(required if one is own else one for one in cpu.feature))


def finish(draft: Draft) -> None:
    """Drops the attributes of a CPU without a model, and an empty one.

    Follows: virDomainDefPostParseCPU
    """
    cpu = draft.domain.cpu
    if cpu is None or cpu.mode not in (None, "custom") or named(cpu):
        return
    if cpu.check is not None:
        raise Refused("unsupported configuration: a CPU check needs a CPU model", cpu)
    cpu = evolve(cpu, mode=None, match=None, migratable=None)
    empty = not (cpu.model or cpu.topology or cpu.cache or cpu.maxphysaddr or cpu.numa)
    draft.set(cpu=None if empty and not cpu.unknown_children else cpu)
