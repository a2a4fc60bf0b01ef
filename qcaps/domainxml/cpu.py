"""`<cpu>`, `<vcpu>` and `<vcpus>`: the guest's processors."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from qcaps.domainxml.codec import CHILD, ON_OFF, TEXT, Element, Newer
from qcaps.domainxml.numa import Numa
from qcaps.domainxml.syntax import CPUSET, I31, POSITIVE, U32, WRAPPED_U32
from qcaps.release import R11_3

_VENDOR_LENGTH = 12


class Vcpu(Element):
    """How many virtual CPUs there may be, how many are there at first, and where they may run."""

    TAG: ClassVar[str] = "vcpu"
    placement: Literal["static", "auto"] | None = None
    cpuset: CPUSET | None = None
    current: U32 | None = None
    value: Annotated[WRAPPED_U32, TEXT] | None = None


class VcpusVcpu(Element):
    """The state of one virtual CPU."""

    TAG: ClassVar[str] = "vcpu"
    id: U32
    enabled: bool
    hotpluggable: bool | None = None
    order: U32 | None = None


class Vcpus(Element):
    """The states of single virtual CPUs."""

    TAG: ClassVar[str] = "vcpus"
    MERGED: ClassVar[bool] = True
    vcpu: tuple[VcpusVcpu, ...] = ()


class GuestCpuModel(Element):
    """The named model, and what to do when the host lacks it."""

    TAG: ClassVar[str] = "model"
    XPATH: ClassVar[bool] = True
    fallback: Literal["allow", "forbid"] | None = None
    vendor_id: str | None = None
    value: Annotated[str, TEXT] | None = None


class CpuTopology(Element):
    """Sockets of dies of clusters of cores of threads."""

    TAG: ClassVar[str] = "topology"
    sockets: POSITIVE
    dies: POSITIVE | None = None
    clusters: Annotated[POSITIVE, Newer(R11_3)] | None = None
    cores: POSITIVE
    threads: POSITIVE


class CpuCache(Element):
    """What the guest sees of the caches."""

    TAG: ClassVar[str] = "cache"
    level: I31 | None = None
    mode: Literal["emulate", "passthrough", "disable"]

    def refusal(self) -> str:
        """A level that no cache has."""
        return "" if self.level in (None, 1, 2, 3) else "attribute level must be 1, 2 or 3"


class CpuMaxphysaddr(Element):
    """How many bits a physical address has."""

    TAG: ClassVar[str] = "maxphysaddr"
    mode: Literal["emulate", "passthrough"]
    bits: I31 | None = None
    limit: Annotated[I31, Newer(R11_3)] | None = None


class CpuFeature(Element):
    """One feature added to the model or taken away; required where no policy is given."""

    TAG: ClassVar[str] = "feature"
    policy: Literal["force", "require", "optional", "disable", "forbid"] | None = None
    name: str


class Cpu(Element):
    """The model the guest sees, its topology and its NUMA nodes."""

    TAG: ClassVar[str] = "cpu"
    ACROSS: ClassVar[tuple[str, ...]] = ("numa",)
    mode: Literal["custom", "host-model", "host-passthrough", "maximum"] | None = None
    match: Literal["exact", "minimum", "strict"] | None = None
    check: Literal["default", "none", "partial", "full"] | None = None
    migratable: Annotated[bool, ON_OFF] | None = None
    model: GuestCpuModel | None = None
    vendor: Annotated[str, CHILD] | None = None
    topology: CpuTopology | None = None
    cache: CpuCache | None = None
    maxphysaddr: CpuMaxphysaddr | None = None
    feature: tuple[CpuFeature, ...] = ()
    numa: Numa | None = None

    def refusal(self) -> str:
        """What speaks of a model without naming one, or of one thing twice."""
        named = self.model is not None and bool(self.model.value)
        as_host = self.mode in ("host-passthrough", "maximum")
        vendor_id = self.model.vendor_id if self.model is not None and not as_host else None
        names = [feature.name for feature in self.feature]
        return next(
            why
            for wrong, why in (
                (self.migratable is not None and not as_host, "attribute migratable needs host-passthrough"),
                (
                    vendor_id and len(vendor_id.encode()) != _VENDOR_LENGTH,
                    "vendor_id must have 12 characters",
                ),
                (vendor_id and "," in vendor_id, "vendor_id may have no comma"),
                (self.vendor and not named, "<vendor> needs a <model>"),
                (names and not named and self.mode in (None, "custom"), "<feature> needs a <model>"),
                ("" in names, "a <feature> has no name"),
                (len(set(names)) < len(names), "a <feature> is named twice"),
                (True, ""),
            )
            if wrong
        )
