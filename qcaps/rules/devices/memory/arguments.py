"""`<memory>`: what backs memory, of modules and of NUMA nodes, and the devices of modules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qcaps.domainxml.devices import Memory
from qcaps.domainxml.memory import kib
from qcaps.domainxml.syntax import cpuset, each, scaled
from qcaps.rules.refusal import Refused
from qcaps.rules.start import paths
from qcaps.rules.start.address import placed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qcaps.domainxml.codec import Element
    from qcaps.domainxml.numa import NumaCell
    from qcaps.rules.start.argument import Json
    from qcaps.rules.start.launch import Launch


_POLICIES = {"strict": "bind", "preferred": "preferred", "interleave": "interleave"}


_SYSTEM_PAGE = 4
"""KiB; what x86 and s390 have, and what most others run with."""


@dataclass(frozen=True, kw_only=True)
class Backed:
    """What is to be backed: `size` in KiB, `page` in KiB (0: as the domain says)."""

    name: str
    size: int
    node: int | None = None
    page: int = 0
    access: str | None = None
    discard: bool | None = None
    source_nodes: str | None = None
    path: str | None = None
    pmem: bool = False
    align: int = 0
    model: str = "dimm"
    is_system: bool = False
    element: Element | None = None


def modules(launch: Launch) -> Iterator[str]:
    """Memory modules: what backs each, then the device.

    Follows: qemuBuildMemoryDeviceCommandLine
    """
    for module in launch.of(Memory):
        yield from _module(launch, module)


def backing(launch: Launch, what: Backed, *, force: bool = False) -> tuple[bool, tuple[str, ...]]:
    """Whether the object is needed, and the arguments that make it.

    Follows: qemuBuildMemoryBackendProps
    """
    domain = launch.domain
    backed = domain.memory_backing
    source = backed.source.type if backed and backed.source else None
    access = what.access or _node_access(launch, what.node)
    if access is None and backed and backed.access:
        access = backed.access.mode
    page, needs_page, uses_page, prealloc = _pages(launch, what)
    properties: dict[str, Json] = {}
    share = None if access is None else access == "shared"
    if what.model == "sgx-epc":
        kind, prealloc = "memory-backend-epc", True
    elif what.path is None and source == "memfd":
        kind = "memory-backend-memfd"
        if kind not in launch.capabilities:
            raise Refused("this QEMU has no memory-backend-memfd", what.element or backed)
        properties |= {
            "hugetlb": uses_page or None,
            "hugetlbsize": page * 1024 if uses_page and page else None,
            "share": share,
        }
    elif uses_page or what.path or access or source == "file":
        kind = "memory-backend-file"
        own = paths.huge_pages(domain, page) if uses_page else paths.memory(domain, what.name)
        discard = what.discard if what.discard is not None else _node_discard(launch, what.node)
        if discard is None and backed and backed.discard:
            discard = True
        properties |= {
            "mem-path": what.path or own,
            "discard-data": None if what.path else discard,
            "share": share,
        }
    else:
        kind = "memory-backend-ram"
    flag = "memory-backend-file.x-use-canonical-path-for-ramblock-id"
    if (
        what.is_system
        and kind in ("memory-backend-memfd", "memory-backend-file")
        and flag in launch.capabilities
    ):
        properties["x-use-canonical-path-for-ramblock-id"] = False
    properties |= _allocation(launch, what, prealloc=prealloc)
    nodes, mode, is_set = _host_nodes(launch, what)
    if nodes and mode != "restrictive":
        properties |= {"host-nodes": list(nodes), "policy": _POLICIES[mode]}
    needed = bool(
        force
        or needs_page
        or what.source_nodes
        or is_set
        or what.path
        or access
        or source in ("file", "memfd")
    )
    made = {"qom-type": kind, "id": what.name, **properties}
    return needed, (*_thread_context(launch, made), *launch.backend(made))


def _allocation(launch: Launch, what: Backed, *, prealloc: bool) -> dict[str, Json]:
    given = launch.domain.memory_backing.allocation if launch.domain.memory_backing else None
    properties: dict[str, Json] = {}
    if what.model == "virtio-mem":
        properties["reserve"] = False if "memory-backend-file.reserve" in launch.capabilities else None
    else:
        properties |= {
            "prealloc": prealloc or None,
            "prealloc-threads": ((given.threads if given else None) or None),
        }
    if what.pmem and "memory-backend-file.pmem" not in launch.capabilities:
        raise Refused("this QEMU cannot treat a file as persistent memory", what.element)
    return properties | {
        "size": what.size * 1024,
        "align": what.align * 1024 or None,
        "pmem": what.pmem or None,
    }


def _thread_context(launch: Launch, made: dict[str, Json]) -> tuple[str, ...]:
    """Threads that allocate on the nodes the memory comes from; changes `made` to name them.

    Follows: qemuBuildThreadContextProps
    """
    if "thread-context" not in launch.capabilities or not made.get("host-nodes") or not made.get("prealloc"):
        return ()
    name = f"tc-{made['id']}"
    made["prealloc-context"] = name
    return launch.backend({"qom-type": "thread-context", "id": name, "node-affinity": made["host-nodes"]})


def _pages(launch: Launch, what: Backed) -> tuple[int, bool, bool, bool]:
    """The page size in KiB (0: the host's default); whether pages need a file, are huge; prealloc.

    Follows: qemuBuildMemoryGetPagesize
    """
    backed = launch.domain.memory_backing
    page, needs, uses = what.page, bool(what.page), bool(what.page)
    if not page and backed and backed.hugepages:
        listed = backed.hugepages.page
        own = next((p for p in listed if p.nodeset and _has(p.nodeset, what.node)), None)
        general = next((p for p in listed if not p.nodeset), None)
        if own:
            needs = True
        chosen = own or general
        if chosen:
            page, uses = _page_kib(chosen.size, chosen.unit), True
        elif not listed:
            uses = True
    if page == _SYSTEM_PAGE:
        page, needs, uses = 0, False, False
    prealloc = bool(backed and backed.allocation and backed.allocation.mode == "immediate")
    prealloc = prealloc or (not what.pmem and what.model != "virtio-pmem" if what.path else uses)
    return page, needs, uses, prealloc


def _host_nodes(launch: Launch, what: Backed) -> tuple[list[int], str, bool]:
    """The host nodes, the mode, and whether they were given for this very node."""
    tune = launch.domain.numatune
    per_node = [one for one in tune.memnode if one.cellid == what.node] if tune else []
    general = tune.memory if tune else None
    mode = (per_node[0].mode if per_node else None) or (general.mode if general else None) or "strict"
    nodes = what.source_nodes or (per_node[0].nodeset if per_node else None)
    if nodes is None and general and general.placement != "auto":
        nodes = general.nodeset
    return list(each(cpuset(nodes))) if nodes else [], mode, bool(per_node)


def _node(launch: Launch, number: int | None) -> NumaCell | None:
    return launch.nodes[number] if number is not None and number < len(launch.nodes) else None


def _node_access(launch: Launch, number: int | None) -> str | None:
    node = _node(launch, number)
    return node.mem_access if node else None


def _node_discard(launch: Launch, number: int | None) -> bool | None:
    node = _node(launch, number)
    return node.discard if node else None


def _has(nodeset: str, node: int | None) -> bool:
    return node is not None and bool(cpuset(nodeset) >> node & 1)


def _page_kib(size: int, unit: str | None) -> int:
    return -(-scaled(size, unit) // 1024)


_DEVICES = {
    "dimm": "pc-dimm",
    "nvdimm": "nvdimm",
    "virtio-pmem": "virtio-pmem-pci",
    "virtio-mem": "virtio-mem-pci",
}


# Follows: qemuBuildMemoryDimmBackendStr, qemuBuildMemoryDeviceProps
def _module(launch: Launch, module: Memory) -> Iterator[str]:
    source, target, name = module.source, module.target, launch.alias(module)
    what = Backed(
        name=f"mem{name}",
        size=launch.module_memory(module),
        node=target.node if target else None,
        page=kib(source.pagesize) if source else 0,
        access=module.access,
        discard=module.discard,
        source_nodes=source.nodemask if source else None,
        path=source.path if source else None,
        pmem=bool(source and source.pmem),
        align=kib(source.alignsize) if source else 0,
        model=module.model,
        element=module,
    )
    yield from backing(launch, what, force=True)[1]
    driver = _DEVICES.get(module.model)
    if driver is None or target is None:
        return  # pages of SGX are named in -machine
    prealloc = module.model == "virtio-mem" and "virtio-mem-pci.prealloc" in launch.capabilities
    label = target.label.size if target.label else None
    yield from launch.device(
        {
            "driver": driver,
            "node": target.node,
            "label-size": kib(label) * 1024 or None,
            "block-size": kib(target.block) * 1024 or None,
            "requested-size": kib(target.requested) * 1024 or None,
            "uuid": module.uuid,
            "unarmed": True if target.readonly else None,
            "memdev": f"mem{name}",
            "prealloc": (prealloc and _pages(launch, what)[3]) or None,
            "id": name,
            **placed(launch, module),
        }
    )
