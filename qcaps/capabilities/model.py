"""What a QEMU binary can do, as libvirt keeps it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property


@dataclass(frozen=True)
class Machine:
    """One machine type of one accelerator."""

    name: str
    alias: str | None = None
    max_cpus: int = 0
    hotplug_cpus: bool = False
    default: bool = False
    default_cpu: str | None = None
    default_ram_id: str | None = None
    numa_mem_supported: bool = False
    deprecated: bool = False


@dataclass(frozen=True)
class CpuModel:
    """One CPU model of one accelerator; `usable` is None where QEMU did not say."""

    name: str
    typename: str | None = None
    usable: bool | None = None
    blockers: tuple[str, ...] = ()
    deprecated: bool = False


@dataclass(frozen=True)
class CpuProperty:
    """A property of the expanded host CPU model; `kind` is boolean, string or number."""

    name: str
    kind: str
    value: str
    migratable: bool | None = None


@dataclass(frozen=True)
class HostCpu:
    """The host CPU as QEMU expands it."""

    model: str
    migratability: bool = False
    properties: tuple[CpuProperty, ...] = ()


@dataclass(frozen=True)
class Accelerator:
    """What differs between KVM and TCG; `name` is "kvm" or "tcg"."""

    name: str
    host_cpu: HostCpu | None = None
    cpus: tuple[CpuModel, ...] = ()
    machines: tuple[Machine, ...] = ()

    @cached_property
    def machines_by_name(self) -> dict[str, Machine]:
        """Machines by canonical name and by alias; a canonical name wins."""
        by_alias = {machine.alias: machine for machine in self.machines if machine.alias}
        return by_alias | {machine.name: machine for machine in self.machines}


@dataclass(frozen=True)
class Capabilities:
    """Version, flags (libvirt's own names), machines and CPUs of one QEMU binary.

    `version` is major * 1_000_000 + minor * 1_000 + micro, as libvirt counts.
    """

    arch: str
    version: int
    flags: frozenset[str] = frozenset()
    accelerators: tuple[Accelerator, ...] = ()
    package: str = ""
    rest: tuple[bytes, ...] = field(default=(), repr=False)
    """Elements of libvirt's cache file that we do not model (cpudata, sgx, ...), verbatim."""

    def __contains__(self, flag: object) -> bool:
        return flag in self.flags

    @property
    def kvm(self) -> bool:
        """Whether QEMU could use KVM when it was probed."""
        return "kvm" in self.flags

    @property
    def release(self) -> str:
        """The version as people write it: 7.2.22."""
        return f"{self.version // 1_000_000}.{self.version // 1_000 % 1_000}.{self.version % 1_000}"

    def accelerator(self, virt_type: str) -> Accelerator | None:
        """The accelerator behind `<domain type=...>`: "kvm", or TCG for "qemu"."""
        name = "kvm" if virt_type == "kvm" else "tcg"
        return next((one for one in self.accelerators if one.name == name), None)

    def machine(self, name: str, virt_type: str = "kvm") -> Machine | None:
        """The machine called `name`, an alias included, or None."""
        accelerator = self.accelerator(virt_type)
        return accelerator.machines_by_name.get(name) if accelerator else None
