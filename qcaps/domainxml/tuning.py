"""Where and how hard the host runs the domain: iothreads, cputune, numatune, blkiotune."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from qcaps.domainxml.codec import CHILD, TEXT, Element, Newer, Read
from qcaps.domainxml.numbers import any_base
from qcaps.domainxml.syntax import CPUSET, I31, I32, I64, POSITIVE, U32, U64, UNIT, WRAPPED_U32, WRAPPED_U64
from qcaps.release import R11_3

Scheduler = Literal["batch", "idle", "fifo", "rr"]


class Scheduled(Element):
    """A scheduler; the real-time ones need a priority."""

    scheduler: Scheduler
    priority: I32 | None = None

    def refusal(self) -> str:
        """A real-time scheduler without a priority."""
        return (
            "attribute priority is missing"
            if self.scheduler in ("fifo", "rr") and self.priority is None
            else ""
        )


class Iothreads(Element):
    """How many threads beside the main loop do I/O."""

    TAG: ClassVar[str] = "iothreads"
    value: Annotated[U32, TEXT] | None = None


class IothreadPoll(Element):
    """How long a thread polls, in nanoseconds."""

    TAG: ClassVar[str] = "poll"
    max: U32 | None = None
    grow: U32 | None = None
    shrink: U32 | None = None


class Iothread(Element):
    """One I/O thread, and how many helpers it may have."""

    TAG: ClassVar[str] = "iothread"
    id: POSITIVE
    thread_pool_min: I31 | None = None
    thread_pool_max: I31 | None = None
    poll: Annotated[IothreadPoll, Newer(R11_3)] | None = None


class Iothreadids(Element):
    """The I/O threads by number."""

    TAG: ClassVar[str] = "iothreadids"
    MERGED: ClassVar[bool] = True
    iothread: tuple[Iothread, ...] = ()


class Defaultiothread(Element):
    """How many helpers the main loop may have."""

    TAG: ClassVar[str] = "defaultiothread"
    thread_pool_min: I31 | None = None
    thread_pool_max: I31 | None = None


class Vcpupin(Element):
    """The host CPUs of one virtual CPU."""

    TAG: ClassVar[str] = "vcpupin"
    vcpu: U32
    cpuset: CPUSET


class Emulatorpin(Element):
    """The host CPUs of QEMU's own threads."""

    TAG: ClassVar[str] = "emulatorpin"
    cpuset: CPUSET


class Iothreadpin(Element):
    """The host CPUs of one I/O thread."""

    TAG: ClassVar[str] = "iothreadpin"
    iothread: POSITIVE
    cpuset: CPUSET


class Emulatorsched(Scheduled):
    """The scheduler of QEMU's own threads."""

    TAG: ClassVar[str] = "emulatorsched"


class Vcpusched(Scheduled):
    """The scheduler of some virtual CPUs."""

    TAG: ClassVar[str] = "vcpusched"
    vcpus: CPUSET


class Iothreadsched(Scheduled):
    """The scheduler of some I/O threads."""

    TAG: ClassVar[str] = "iothreadsched"
    iothreads: CPUSET


class CachetuneCache(Element):
    """A share of one host cache (KiB where no unit is given)."""

    TAG: ClassVar[str] = "cache"
    id: U32
    level: U32
    type: Literal["both", "code", "data"]
    size: U64
    unit: UNIT | None = None


class CachetuneMonitor(Element):
    """A cache monitor for some virtual CPUs."""

    TAG: ClassVar[str] = "monitor"
    level: U32
    vcpus: CPUSET


class Cachetune(Element):
    """Shares of the host's caches for some virtual CPUs."""

    TAG: ClassVar[str] = "cachetune"
    vcpus: CPUSET
    cache: tuple[CachetuneCache, ...] = ()
    monitor: tuple[CachetuneMonitor, ...] = ()


class MemorytuneNode(Element):
    """A share of one host node's bandwidth, in per cent."""

    TAG: ClassVar[str] = "node"
    id: U32
    bandwidth: U32


class MemorytuneMonitor(Element):
    """A bandwidth monitor for some virtual CPUs."""

    TAG: ClassVar[str] = "monitor"
    vcpus: CPUSET


class Memorytune(Element):
    """Shares of the host's memory bandwidth for some virtual CPUs."""

    TAG: ClassVar[str] = "memorytune"
    vcpus: CPUSET
    node: tuple[MemorytuneNode, ...] = ()
    monitor: tuple[MemorytuneMonitor, ...] = ()


class Cputune(Element):
    """Shares, quotas (microseconds), pinning and schedulers."""

    TAG: ClassVar[str] = "cputune"
    ONCE: ClassVar[frozenset[str]] = frozenset({"emulatorpin", "emulatorsched"})
    MERGED: ClassVar[bool] = True
    shares: Annotated[U64, CHILD] | None = None
    period: Annotated[U64, CHILD] | None = None
    quota: Annotated[I64, CHILD] | None = None
    global_period: Annotated[U64, CHILD] | None = None
    global_quota: Annotated[I64, CHILD] | None = None
    emulator_period: Annotated[U64, CHILD] | None = None
    emulator_quota: Annotated[I64, CHILD] | None = None
    iothread_period: Annotated[U64, CHILD] | None = None
    iothread_quota: Annotated[I64, CHILD] | None = None
    vcpupin: tuple[Vcpupin, ...] = ()
    emulatorpin: Emulatorpin | None = None
    iothreadpin: tuple[Iothreadpin, ...] = ()
    emulatorsched: Emulatorsched | None = None
    vcpusched: tuple[Vcpusched, ...] = ()
    iothreadsched: tuple[Iothreadsched, ...] = ()
    cachetune: tuple[Cachetune, ...] = ()
    memorytune: tuple[Memorytune, ...] = ()


class NumatuneMemory(Element):
    """The host nodes all memory comes from."""

    TAG: ClassVar[str] = "memory"
    mode: Literal["strict", "preferred", "interleave", "restrictive"] | None = None
    placement: Literal["default", "static", "auto"] | None = None
    nodeset: CPUSET | None = None


class NumatuneMemnode(Element):
    """The host nodes that one guest node's memory comes from."""

    TAG: ClassVar[str] = "memnode"
    cellid: U32
    mode: Literal["strict", "preferred", "interleave", "restrictive"] | None = None
    nodeset: CPUSET


class Numatune(Element):
    """Host nodes for the guest's memory."""

    TAG: ClassVar[str] = "numatune"
    memory: NumatuneMemory | None = None
    memnode: tuple[NumatuneMemnode, ...] = ()


class BlkiotuneDevice(Element):
    """Limits on one host block device."""

    TAG: ClassVar[str] = "device"
    path: Annotated[str, CHILD]
    weight: Annotated[WRAPPED_U32, CHILD] | None = None
    read_iops_sec: Annotated[WRAPPED_U32, CHILD] | None = None
    write_iops_sec: Annotated[WRAPPED_U32, CHILD] | None = None
    read_bytes_sec: Annotated[WRAPPED_U64, CHILD] | None = None
    write_bytes_sec: Annotated[WRAPPED_U64, CHILD] | None = None


def _weight(text: str) -> int:
    """What is no number is no weight."""
    try:
        return any_base(text)
    except ValueError:
        return 0


class Blkiotune(Element):
    """Weights and limits for block I/O."""

    TAG: ClassVar[str] = "blkiotune"
    MERGED: ClassVar[bool] = True
    weight: Annotated[int, Read(_weight), CHILD] | None = None
    device: tuple[BlkiotuneDevice, ...] = ()
