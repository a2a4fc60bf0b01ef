"""`-cpu`, `-smp` and `-object iothread`.

A host-model CPU becomes the model and the features that QEMU itself names for the host, as recorded in the
capabilities. libvirt looks up the nearest named model for them in its CPU map, which we do not have: the
guest sees the same features under another name. For the same reason `match='minimum'` counts as exact.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qcaps.capabilities.targets import ARM, PPC64, S390, X86, X86_FEATURES
from qcaps.domainxml.devices import Panic
from qcaps.rules.refusal import Refused
from qcaps.rules.start.argument import backend, on_off

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qcaps.capabilities.model import HostCpu
    from qcaps.domainxml.cpu import Cpu
    from qcaps.domainxml.features import Features, Hyperv
    from qcaps.rules.start.launch import Launch

_NEVER_ASKED: Final = frozenset({"cmt", "mbm_total", "mbm_local", "osxsave", "ospke"})
"""Features of x86 that QEMU never had or no longer has."""

_ENLIGHTENMENTS: Final = (
    "relaxed", "vapic", "spinlocks", "vpindex", "runtime", "synic", "stimer", "reset", "vendor_id",
    "frequencies", "reenlightenment", "tlbflush", "ipi", "evmcs", "avic",
)  # fmt: skip


def cpu(launch: Launch) -> Iterator[str]:
    """`-cpu MODEL,…`, nothing where neither a model nor a flag is asked for.

    Follows: qemuBuildCpuCommandLine
    """
    model = "".join(_model(launch))
    flags = "".join(f",{flag}" for flag in _flags(launch))
    if flags and not model:
        model = {"i686": "qemu32", "x86_64": "qemu64"}.get(launch.domain.arch or "", "")
        if not model:
            raise Refused(f"no CPU model to give flags to on {launch.domain.arch}", launch.domain.cpu)
    if model:
        yield from ("-cpu", model + flags)


def smp(launch: Launch) -> Iterator[str]:
    """`-smp`: the CPUs present from the start, how many there may be, and their topology.

    Follows: qemuBuildSmpCommandLine
    """
    domain = launch.domain
    most = (domain.vcpu.value if domain.vcpu else None) or 1
    present = (domain.vcpu.current if domain.vcpu else None) or most
    if domain.vcpus and domain.vcpus.vcpu:  # those that can be unplugged are added when QEMU runs
        present = sum(one.enabled and not one.hotpluggable for one in domain.vcpus.vcpu)
    words = [str(present)]
    if present != most:
        words.append(f"maxcpus={most}")
    topology = domain.cpu.topology if domain.cpu else None
    if topology is None:
        words += [f"sockets={most}", "cores=1", "threads=1"]
    else:
        dies = topology.dies or 1
        words.append(f"sockets={topology.sockets}")
        if "smp-dies" in launch.capabilities:
            words.append(f"dies={dies}")
        elif dies != 1:
            raise Refused("this QEMU knows only one die a socket", topology)
        words += [f"cores={topology.cores}", f"threads={topology.threads}"]
    yield from ("-smp", ",".join(words))


def threads(launch: Launch) -> Iterator[str]:
    """The I/O threads, and how many helpers the main loop has.

    Follows: qemuBuildIOThreadCommandLine
    """
    domain = launch.domain
    named = domain.iothreadids.iothread if domain.iothreadids else ()
    sizes = {one.id: (one.thread_pool_min, one.thread_pool_max) for one in named}
    number = 1
    while len(sizes) < ((domain.iothreads.value if domain.iothreads else None) or 0):
        sizes.setdefault(number, (None, None))
        number += 1
    for name, (least, most) in sizes.items():
        yield from _pool(launch, "iothread", f"iothread{name}", least, most)
    if pool := domain.defaultiothread:
        yield from _pool(launch, "main-loop", "main-loop", pool.thread_pool_min, pool.thread_pool_max)


def _pool(launch: Launch, kind: str, name: str, least: int | None, most: int | None) -> tuple[str, str]:
    return backend(
        launch.capabilities,
        {"qom-type": kind, "id": name, "thread-pool-min": least, "thread-pool-max": most},
    )


# Follows: qemuBuildCpuModelArgStr
def _model(launch: Launch) -> Iterator[str]:
    domain = launch.domain
    cpu = domain.cpu
    mode = cpu.mode or "custom" if cpu else "custom"
    if cpu is None or (mode == "custom" and not (cpu.model and cpu.model.value)):
        if domain.arch == "i686" and "x86_64" in launch.emulator:
            yield "qemu32"
        return
    if mode in ("host-passthrough", "maximum"):
        yield "host" if mode == "host-passthrough" else "max"
        if domain.arch == "armv7l" and domain.virt_type == "kvm":  # the host is a 64-bit one
            yield ",aarch64=off"
        if cpu.migratable is not None and "cpu.migratable" in launch.capabilities:
            yield f",migratable={on_off(state=cpu.migratable)}"
    elif mode == "host-model":
        yield from _host_model(launch, cpu)
    else:
        yield cpu.model.value or "" if cpu.model else ""
    if cpu.feature and domain.arch in S390 | ARM and "query-cpu-model-expansion" not in launch.capabilities:
        raise Refused(f"this QEMU takes no CPU features on {domain.arch}", cpu)
    if cpu.model and cpu.model.vendor_id:
        yield f",vendor={cpu.model.vendor_id}"
    yield from _asked_features(launch, cpu)


def _host_model(launch: Launch, cpu: Cpu) -> Iterator[str]:
    if launch.domain.arch in PPC64:
        yield "host"
        return
    host = _host_cpu(launch)
    if host is None:
        raise Refused(f"QEMU knows no host CPU for {launch.domain.virt_type} on {launch.domain.arch}", cpu)
    yield host.model
    for one in host.properties:
        if (
            one.kind == "boolean"
            and one.value == "true"
            and not (host.migratability and one.migratable is False)
        ):
            yield f",{one.name}=on"


def _host_cpu(launch: Launch) -> HostCpu | None:
    accelerator = launch.capabilities.accelerator(launch.domain.virt_type)
    return accelerator.host_cpu if accelerator else None


def _asked_features(launch: Launch, cpu: Cpu) -> Iterator[str]:
    x86 = launch.domain.arch in X86
    host = _host_cpu(launch)
    known = {one.name: one.value == "true" for one in host.properties} if host else {}
    for feature in cpu.feature:
        if x86 and feature.name in _NEVER_ASKED:
            continue
        name = X86_FEATURES.get(feature.name, feature.name) if x86 else feature.name
        policy = feature.policy or "require"
        if policy == "optional":
            if known:
                yield f",{name}={on_off(state=known.get(name, False))}"
        elif policy in ("disable", "forbid"):
            if not x86 or not known or name in known:  # QEMU turns nothing on that it does not know
                yield f",{name}=off"
        else:
            yield f",{name}=on"


# Follows: qemuBuildCpuCommandLine
def _flags(launch: Launch) -> Iterator[str]:
    domain = launch.domain
    yield from _timers(launch)
    features = domain.features
    if features:
        if features.apic and features.apic.eoi is not None:
            yield f"kvm-pv-eoi={on_off(state=features.apic.eoi)}"
        if features.pvspinlock:
            yield f"kvm-pv-unhalt={on_off(state=features.pvspinlock.state is not False)}"
        if features.hyperv:
            yield from _enlightenments(features.hyperv)
    if any(panic.model == "hyperv" for panic in launch.of(Panic)):
        yield "hv-crash"
    if features:
        yield from _kvm(features)
        if features.pmu and domain.arch not in PPC64:
            yield f"pmu={on_off(state=features.pmu.state is not False)}"
    if domain.cpu:
        yield from _caches(launch, domain.cpu)
        address = domain.cpu.maxphysaddr
        if address:
            yield "host-phys-bits=on" if address.mode == "passthrough" else f"phys-bits={address.bits or 0}"


def _timers(launch: Launch) -> Iterator[str]:
    for timer in launch.domain.clock.timer if launch.domain.clock else ():
        if timer.name == "kvmclock" and timer.present is not None:
            yield f"kvmclock={on_off(state=timer.present)}"
        elif timer.name == "hypervclock" and timer.present:
            yield "hv-time=on"
        elif timer.name == "tsc" and timer.frequency:
            yield f"tsc-frequency={timer.frequency}"
        elif timer.name == "armvtimer" and timer.tickpolicy in ("delay", "discard"):
            yield f"kvm-no-adjvtime={on_off(state=timer.tickpolicy == 'discard')}"


def _enlightenments(hyperv: Hyperv) -> Iterator[str]:
    if hyperv.mode == "passthrough":
        yield "hv-passthrough=on"
    for name in _ENLIGHTENMENTS:
        feature = getattr(hyperv, name)
        if feature is None or not feature.state:
            continue
        if name == "spinlocks":
            yield f"hv-spinlocks=0x{feature.retries or 0:x}"
        elif name == "vendor_id":
            yield f"hv-vendor-id={feature.value or ''}"
        else:
            yield f"hv-{name}=on"
            if name == "stimer" and feature.direct and feature.direct.state:
                yield "hv-stimer-direct=on"


def _kvm(features: Features) -> Iterator[str]:
    kvm = features.kvm
    if kvm is None:
        return
    if kvm.hidden and kvm.hidden.state:
        yield "kvm=off"
    if kvm.hint_dedicated and kvm.hint_dedicated.state:
        yield "kvm-hint-dedicated=on"
    if kvm.poll_control and kvm.poll_control.state:
        yield "kvm-poll-control=on"
    if kvm.pv_ipi and not kvm.pv_ipi.state:
        yield "kvm-pv-ipi=off"


def _caches(launch: Launch, cpu: Cpu) -> Iterator[str]:
    if cpu.cache is None:
        return
    switchable = "cpu-cache" in launch.capabilities
    if cpu.cache.mode == "emulate":
        yield "l3-cache=on"
    elif cpu.cache.mode == "passthrough":
        yield "host-cache-info=on"
    if cpu.cache.mode != "passthrough" and cpu.mode in ("host-passthrough", "maximum") and switchable:
        yield "host-cache-info=off"
    if cpu.cache.mode != "emulate" and switchable:
        yield "l3-cache=off"
