"""The guest's own NUMA nodes."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from qcaps.domainxml.codec import Element, Name
from qcaps.domainxml.syntax import MAYBE_EMPTY_CPUSET, POSITIVE, U32, U64, UNIT, cpuset, scaled


class NumaSibling(Element):
    """The distance to another node; 10 is local, 255 out of reach."""

    TAG: ClassVar[str] = "sibling"
    id: U32
    value: U32


class NumaDistances(Element):
    """The distances from one node."""

    TAG: ClassVar[str] = "distances"
    sibling: tuple[NumaSibling, ...] = ()


class NumaCacheSize(Element):
    """A number: KiB for a size, bytes for a line. libvirt looks for the unit elsewhere and never sees it."""

    value: U64
    unit: str | None = None


class NumaCache(Element):
    """One level of memory-side cache."""

    TAG: ClassVar[str] = "cache"
    level: POSITIVE
    associativity: Literal["none", "direct", "full"]
    policy: Literal["none", "writeback", "writethrough"]
    size: NumaCacheSize
    line_size: Annotated[NumaCacheSize, Name("line")]  # Element.line is the line in the file

    def refusal(self) -> str:
        """A size that cannot be counted in bytes."""
        try:
            scaled(self.size.value, "KiB")
        except ValueError as error:
            return str(error)
        return ""


class NumaCell(Element):
    """One node: its CPUs and its memory (KiB where no unit is given)."""

    TAG: ClassVar[str] = "cell"
    id: U32 | None = None
    cpus: MAYBE_EMPTY_CPUSET | None = None
    memory: U64
    unit: UNIT | None = None
    mem_access: Annotated[Literal["shared", "private"], Name("memAccess")] | None = None
    discard: bool | None = None
    distances: NumaDistances | None = None
    cache: tuple[NumaCache, ...] = ()


class NumaLatency(Element):
    """How long an access takes, in nanoseconds."""

    TAG: ClassVar[str] = "latency"
    initiator: U32
    target: U32
    cache: U32 | None = None
    type: Literal["access", "read", "write"]
    value: U64


class NumaBandwidth(Element):
    """How much passes in a second (KiB where no unit is given)."""

    TAG: ClassVar[str] = "bandwidth"
    initiator: U32
    target: U32
    cache: U32 | None = None
    type: Literal["access", "read", "write"]
    value: U64
    unit: UNIT | None = None


class NumaInterconnects(Element):
    """What the nodes cost each other, in document order."""

    TAG: ClassVar[str] = "interconnects"
    all: tuple[NumaLatency | NumaBandwidth, ...] = ()


class Numa(Element):
    """The guest's NUMA nodes."""

    TAG: ClassVar[str] = "numa"
    cell: tuple[NumaCell, ...] = ()
    interconnects: NumaInterconnects | None = None

    def refusal(self) -> str:
        """Cells that are not numbered from 0 on, or that share a CPU."""
        if not self.cell:
            return "there is no <cell>"
        ids = [place if cell.id is None else cell.id for place, cell in enumerate(self.cell)]
        if sorted(ids) != list(range(len(ids))):
            return "the cells must be numbered from 0 on, each once"
        taken = 0
        for cell in self.cell:
            own = cpuset(cell.cpus) if cell.cpus is not None else 0
            if taken & own:
                return "two cells have a CPU in common"
            taken |= own
        return ""
