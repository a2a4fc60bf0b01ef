"""`-machine`, `-accel` and what belongs to the board."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcaps.domainxml.devices import Disk, Interface, Iommu, Memory
from qcaps.domainxml.memory import kib
from qcaps.rules.machine import is_pseries
from qcaps.rules.refusal import Refused
from qcaps.rules.start.argument import on_off

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qcaps.domainxml.features import Features
    from qcaps.domainxml.security import Keywrap
    from qcaps.rules.start.launch import Launch

_KEY_WRAP = {"aes": "aes-key-wrap", "dea": "dea-key-wrap"}
_ACCELERATORS = {"qemu": "tcg", "kvm": "kvm", "hvf": "hvf"}


def machine(launch: Launch) -> Iterator[str]:
    """`-machine TYPE,…`.

    Follows: qemuBuildMachineCommandLine
    """
    yield "-machine"
    yield ",".join([launch.domain.machine or "", "usb=off", *_options(launch)])


def accelerator(launch: Launch) -> Iterator[str]:
    """`-accel`, with the size of TCG's buffer or KVM's dirty ring.

    Follows: qemuBuildAccelCommandLine
    """
    features = launch.domain.features
    words = [_ACCELERATORS.get(launch.domain.virt_type, "")]
    if words == ["tcg"] and features and features.tcg and (size := kib(features.tcg.tb_cache)):
        words.append(f"tb-size={size >> 10}")
    if words == ["kvm"] and features and features.kvm:
        ring = features.kvm.dirty_ring
        if ring and ring.state:
            words.append(f"dirty-ring-size={ring.size or 0}")
    yield from ("-accel", ",".join(words))


def top_segment(launch: Launch) -> Iterator[str]:
    """How much memory q35 keeps for system management mode.

    Follows: qemuBuildTSEGCommandLine
    """
    features = launch.domain.features
    if features and features.smm and features.smm.tseg:
        yield from ("-global", f"mch.extended-tseg-mbytes={kib(features.smm.tseg, 'MiB') >> 10}")


def _options(launch: Launch) -> Iterator[str]:
    domain = launch.domain
    if domain.keywrap:
        yield from _wrapped_keys(launch, domain.keywrap)
    if domain.features:
        yield from _features(launch, domain.features)
    if any(iommu.model == "smmuv3" for iommu in launch.of(Iommu)):
        yield "iommu=smmuv3"
    yield from _memory(launch)
    cpu = domain.cpu
    if cpu and cpu.mode == "host-model" and cpu.model and cpu.model.value and is_pseries(domain):
        yield f"max-cpu-compat={cpu.model.value}"
    yield from _load_parameter(launch)
    yield from _confidential(launch)
    yield from _firmware(launch)
    if domain.cpu and domain.cpu.numa and domain.cpu.numa.interconnects:
        yield "hmat=on"
    if domain.os.bios and domain.os.bios.useserial:
        yield "graphics=off"
    for timer in domain.clock.timer if domain.clock else ():
        if timer.name == "hpet" and timer.present is not None and "machine-hpet" in launch.capabilities:
            yield f"hpet={on_off(state=timer.present)}"


# Follows: qemuAppendKeyWrapMachineParms
def _wrapped_keys(launch: Launch, keywrap: Keywrap) -> Iterator[str]:
    states = {cipher.name: cipher.state for cipher in keywrap.cipher}
    for name, option in _KEY_WRAP.items():
        if name in states:
            if option not in launch.capabilities:
                raise Refused(f"this QEMU has no {option}", keywrap)
            yield f"{option}={on_off(state=states[name])}"


# Follows: qemuAppendDomainFeaturesMachineParam
def _features(launch: Launch, features: Features) -> Iterator[str]:
    for name, feature in (("vmport", features.vmport), ("smm", features.smm)):
        if feature:
            yield f"{name}={on_off(state=feature.state is not False)}"
    if features.gic and features.gic.version:
        if "gic-version" in launch.capabilities:
            yield f"gic-version={features.gic.version}"
        elif features.gic.version != "2":
            raise Refused("this QEMU cannot be told the version of the GIC", features.gic)
    if features.ioapic and features.ioapic.driver:
        yield "kernel_irqchip=" + {"qemu": "split", "kvm": "on"}[features.ioapic.driver]
    yield from _of_pseries(features)


def _of_pseries(features: Features) -> Iterator[str]:
    if features.hpt and features.hpt.resizing:
        yield f"resize-hpt={features.hpt.resizing}"
    if features.hpt and (size := kib(features.hpt.maxpagesize)):
        yield f"cap-hpt-max-page-size={size}k"
    for name, switch in (
        ("cap-htm", features.htm),
        ("cap-nested-hv", features.nested_hv),
        ("cap-ccf-assist", features.ccf_assist),
    ):
        if switch:
            yield f"{name}={on_off(state=switch.state)}"
    for name, level in (
        ("cap-cfpc", features.cfpc and features.cfpc.value),
        ("cap-sbbc", features.sbbc and features.sbbc.value),
        ("cap-ibs", features.ibs and features.ibs.value),
    ):
        if level:
            yield f"{name}={level}"


# Follows: qemuAppendDomainMemoryMachineParams
def _memory(launch: Launch) -> Iterator[str]:
    domain = launch.domain
    yield f"dump-guest-core={on_off(state=bool(domain.memory and domain.memory.dump_core))}"
    if domain.memory_backing and domain.memory_backing.nosharepages:
        yield "mem-merge=off"
    modules = launch.of(Memory)
    if any(module.model == "nvdimm" for module in modules):
        yield "nvdimm=on"
    pages = [module for module in modules if module.model == "sgx-epc"]
    for number, module in enumerate(pages):
        node = module.target.node if module.target and module.target.node is not None else 0
        yield f"sgx-epc.{number}.memdev=mem{launch.alias(module)}"
        yield f"sgx-epc.{number}.node={node}"
    if launch.default_ram and not launch.nodes:
        yield f"memory-backend={launch.default_ram}"


# Follows: qemuAppendLoadparmMachineParm
def _load_parameter(launch: Launch) -> Iterator[str]:
    if "loadparm" not in launch.capabilities:
        return
    for device in (*launch.of(Disk), *launch.of(Interface)):
        if device.boot and device.boot.order == 1 and device.boot.loadparm:
            yield f"loadparm={device.boot.loadparm}"
            return


def _confidential(launch: Launch) -> Iterator[str]:
    security = launch.domain.launch_security
    if security is None:
        return
    new = security.type == "s390-pv" or "confidential-guest-support" in launch.capabilities
    yield f"{'confidential-guest-support' if new else 'memory-encryption'}=lsec0"


def _firmware(launch: Launch) -> Iterator[str]:
    if launch.has_pflash:
        yield "pflash0=libvirt-pflash0-format"
        if launch.variables:
            yield "pflash1=libvirt-pflash1-format"
