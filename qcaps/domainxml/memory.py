"""Sizes of memory, and what backs it."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from qcaps.domainxml.codec import FLAG, ON_OFF, TEXT, Element, Name
from qcaps.domainxml.syntax import CPUSET, U32, U64, UNIT, scaled
from qcaps.errors import QcapsError


class Size(Element):
    """A number of bytes with its unit, KiB where none is given."""

    value: Annotated[U64, TEXT] | None = None
    unit: UNIT | None = None


class GuestMemory(Size):
    """What the guest sees, hot-plugged modules included."""

    TAG: ClassVar[str] = "memory"
    dump_core: Annotated[bool, ON_OFF, Name("dumpCore")] | None = None


class CurrentMemory(Size):
    """What the balloon leaves to the guest."""

    TAG: ClassVar[str] = "currentMemory"


class MaxMemory(Size):
    """Up to where modules may be plugged, into how many slots."""

    TAG: ClassVar[str] = "maxMemory"
    XPATH: ClassVar[bool] = True
    slots: U32 | None = None


class SizeError(QcapsError):
    """A size with a unit nobody knows, or of more than 2^63 bytes."""

    def __init__(self, size: Size, why: str) -> None:
        self.why = why
        super().__init__(f"line {size.line}: <{size.TAG or 'size'}>: {why}")


def kib(size: Size | None, default_unit: str = "KiB") -> int:
    """`size` in KiB, rounded up; 0 where there is none. Raises SizeError."""
    if size is None or size.value is None:
        return 0
    try:
        return -(-scaled(size.value, size.unit, default_unit) // 1024)
    except ValueError as error:
        raise SizeError(size, str(error)) from None


class HugepagesPage(Element):
    """One size of huge page, and the guest nodes that use it."""

    TAG: ClassVar[str] = "page"
    size: U64
    unit: UNIT | None = None
    nodeset: CPUSET | None = None


class Hugepages(Element):
    """Memory in huge pages; the host's default size when no page is listed."""

    TAG: ClassVar[str] = "hugepages"
    MERGED: ClassVar[bool] = True
    page: tuple[HugepagesPage, ...] = ()


class MemorySource(Element):
    """Where the memory comes from."""

    TAG: ClassVar[str] = "source"
    XPATH: ClassVar[bool] = True
    MERGED: ClassVar[bool] = True
    type: Literal["file", "anonymous", "memfd"] | None = None


class MemoryAccess(Element):
    """Whether other processes may map the memory."""

    TAG: ClassVar[str] = "access"
    XPATH: ClassVar[bool] = True
    MERGED: ClassVar[bool] = True
    mode: Literal["shared", "private"] | None = None


class MemoryAllocation(Element):
    """When the memory is allocated, and by how many threads."""

    TAG: ClassVar[str] = "allocation"
    XPATH: ClassVar[bool] = True
    MERGED: ClassVar[bool] = True
    mode: Literal["immediate", "ondemand"] | None = None
    threads: U32 | None = None


class MemoryBacking(Element):
    """How the host backs the guest's memory."""

    TAG: ClassVar[str] = "memoryBacking"
    MERGED: ClassVar[bool] = True
    hugepages: Hugepages | None = None
    nosharepages: Annotated[bool, FLAG] = False
    locked: Annotated[bool, FLAG] = False
    source: MemorySource | None = None
    access: MemoryAccess | None = None
    allocation: MemoryAllocation | None = None
    discard: Annotated[bool, FLAG] = False


class Memtune(Element):
    """Limits that cgroups set."""

    TAG: ClassVar[str] = "memtune"
    MERGED: ClassVar[bool] = True
    hard_limit: Size | None = None
    soft_limit: Size | None = None
    min_guarantee: Size | None = None
    swap_hard_limit: Size | None = None
