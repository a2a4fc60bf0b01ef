"""The whole `<domain>`, its children in the order libvirt writes them."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from qcaps.domainxml.boot import Os
from qcaps.domainxml.clock import Clock
from qcaps.domainxml.codec import CHILD, Element, Name
from qcaps.domainxml.cpu import Cpu, Vcpu, Vcpus
from qcaps.domainxml.devices import Devices
from qcaps.domainxml.features import Features
from qcaps.domainxml.memory import CurrentMemory, GuestMemory, MaxMemory, MemoryBacking, Memtune
from qcaps.domainxml.security import Keywrap, LaunchSecurity, Seclabel
from qcaps.domainxml.syntax import MAYBE_UUID, U32
from qcaps.domainxml.sysinfo import Sysinfo
from qcaps.domainxml.tuning import Blkiotune, Cputune, Defaultiothread, Iothreadids, Iothreads, Numatune

VirtType = Literal[
    "none", "qemu", "kqemu", "kvm", "xen", "lxc", "uml", "openvz", "test", "vmware", "hyperv", "vbox", "phyp",
    "parallels", "bhyve", "vz", "hvf",
]  # fmt: skip
Lifecycle = Literal[
    "destroy", "restart", "rename-restart", "preserve", "coredump-destroy", "coredump-restart"
]
PerfEventName = Literal[
    "cmt", "mbmt", "mbml", "cpu_cycles", "instructions", "cache_references", "cache_misses",
    "branch_instructions", "branch_misses", "bus_cycles", "stalled_cycles_frontend", "stalled_cycles_backend",
    "ref_cpu_cycles", "cpu_clock", "task_clock", "page_faults", "context_switches", "cpu_migrations",
    "page_faults_min", "page_faults_maj", "alignment_faults", "emulation_faults",
]  # fmt: skip

_QEMU = "{http://libvirt.org/schemas/domain/qemu/1.0}"
_NO_OS = Os()
_NO_DEVICES = Devices()


class Fibrechannel(Element):
    """The application a fabric sees."""

    TAG: ClassVar[str] = "fibrechannel"
    MERGED: ClassVar[bool] = True
    XPATH: ClassVar[bool] = True
    appid: str | None = None


class Resource(Element):
    """The cgroup partition the domain lives in."""

    TAG: ClassVar[str] = "resource"
    partition: Annotated[str, CHILD] | None = None
    fibrechannel: Fibrechannel | None = None


class IdmapUid(Element):
    """A range of users inside a container, and where they are outside."""

    TAG: ClassVar[str] = "uid"
    start: U32
    target: U32
    count: U32


class IdmapGid(Element):
    """A range of groups inside a container, and where they are outside."""

    TAG: ClassVar[str] = "gid"
    start: U32
    target: U32
    count: U32


class Idmap(Element):
    """Users and groups of a container."""

    TAG: ClassVar[str] = "idmap"
    MERGED: ClassVar[bool] = True
    uid: tuple[IdmapUid, ...] = ()
    gid: tuple[IdmapGid, ...] = ()


class PmState(Element):
    """Whether the guest may enter a sleep state."""

    enabled: bool | None = None


class Pm(Element):
    """The ACPI sleep states."""

    TAG: ClassVar[str] = "pm"
    MERGED: ClassVar[bool] = True
    suspend_to_mem: Annotated[PmState, Name("suspend-to-mem")] | None = None
    suspend_to_disk: Annotated[PmState, Name("suspend-to-disk")] | None = None


class PerfEvent(Element):
    """One performance event to count."""

    TAG: ClassVar[str] = "event"
    name: PerfEventName
    enabled: bool


class Perf(Element):
    """The performance events to count."""

    TAG: ClassVar[str] = "perf"
    MERGED: ClassVar[bool] = True
    event: tuple[PerfEvent, ...] = ()


class Domain(Element):
    """One domain. Metadata, and what belongs to other hypervisors or QEMU's namespace, is kept verbatim."""

    TAG: ClassVar[str] = "domain"
    ONCE: ClassVar[frozenset[str]] = frozenset({"resource"})
    KEPT: ClassVar[frozenset[str]] = frozenset(
        {"metadata"} | {f"{_QEMU}{tag}" for tag in ("commandline", "capabilities", "override", "deprecation")}
    )
    type: VirtType
    name: Annotated[str, CHILD]
    uuid: Annotated[MAYBE_UUID, CHILD] | None = None
    genid: Annotated[MAYBE_UUID, CHILD] | None = None
    title: Annotated[str, CHILD] | None = None
    description: Annotated[str, CHILD] | None = None
    max_memory: Annotated[MaxMemory, Name("maxMemory")] | None = None
    memory: GuestMemory | None = None
    current_memory: Annotated[CurrentMemory, Name("currentMemory")] | None = None
    blkiotune: Blkiotune | None = None
    memtune: Memtune | None = None
    memory_backing: Annotated[MemoryBacking, Name("memoryBacking")] | None = None
    vcpu: Vcpu | None = None
    vcpus: Vcpus | None = None
    iothreads: Iothreads | None = None
    iothreadids: Iothreadids | None = None
    defaultiothread: Defaultiothread | None = None
    cputune: Cputune | None = None
    numatune: Numatune | None = None
    resource: Resource | None = None
    sysinfo: tuple[Sysinfo, ...] = ()
    bootloader: Annotated[str, CHILD] | None = None
    bootloader_args: Annotated[str, CHILD] | None = None
    os: Os = _NO_OS
    idmap: Idmap | None = None
    features: Features | None = None
    cpu: Cpu | None = None
    clock: Clock | None = None
    on_poweroff: Annotated[Lifecycle, CHILD] | None = None
    on_reboot: Annotated[Lifecycle, CHILD] | None = None
    on_crash: Annotated[Lifecycle, CHILD] | None = None
    on_lockfailure: Annotated[Literal["default", "poweroff", "restart", "pause", "ignore"], CHILD] | None = (
        None
    )
    pm: Pm | None = None
    perf: Perf | None = None
    devices: Devices = _NO_DEVICES
    seclabel: tuple[Seclabel, ...] = ()
    keywrap: Keywrap | None = None
    launch_security: Annotated[LaunchSecurity, Name("launchSecurity")] | None = None

    @property
    def virt_type(self) -> str:
        """kvm, qemu …"""
        return self.type

    @property
    def emulator(self) -> str | None:
        """The path of the QEMU binary, where the file names one."""
        return self.devices.emulator

    @property
    def arch(self) -> str | None:
        """The guest's architecture, where the file names one."""
        return self.os.type.arch if self.os.type else None

    @property
    def machine(self) -> str | None:
        """The machine type, where the file names one."""
        return self.os.type.machine if self.os.type else None
