"""Memory modules that can be plugged in."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from qcaps.domainxml.codec import CHILD, FLAG, Element, Name, Newer
from qcaps.domainxml.device import Device
from qcaps.domainxml.memory import Size
from qcaps.domainxml.syntax import CPUSET, I31
from qcaps.release import R11_3


class ModuleSource(Element):
    """Where the host takes the memory from."""

    TAG: ClassVar[str] = "source"
    nodemask: Annotated[CPUSET, CHILD] | None = None
    pagesize: Size | None = None
    path: Annotated[str, CHILD] | None = None
    alignsize: Size | None = None
    pmem: Annotated[bool, FLAG] = False


class MemoryTargetLabel(Element):
    """The part of an NVDIMM that holds its label."""

    TAG: ClassVar[str] = "label"
    size: Size | None = None


class MemoryTarget(Element):
    """What the guest sees."""

    TAG: ClassVar[str] = "target"
    dynamic_memslots: Annotated[bool, Name("dynamicMemslots"), Newer(R11_3)] | None = None
    size: Size
    node: Annotated[I31, CHILD] | None = None
    label: MemoryTargetLabel | None = None
    readonly: Annotated[bool, FLAG] = False
    block: Size | None = None
    requested: Size | None = None
    current: Size | None = None


class Memory(Device):
    """A memory module."""

    TAG: ClassVar[str] = "memory"
    model: Literal["dimm", "nvdimm", "virtio-pmem", "virtio-mem", "sgx-epc"]
    access: Literal["shared", "private"] | None = None
    discard: bool | None = None
    uuid: Annotated[str, CHILD] | None = None
    source: ModuleSource | None = None
    target: MemoryTarget | None = None
