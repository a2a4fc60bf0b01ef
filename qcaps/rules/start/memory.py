"""`-m`, `-overcommit`, and the objects that back memory: the machine's own, a node's, a module's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qcaps.domain.devices import Memory
from qcaps.domain.memory import kib
from qcaps.domain.syntax import cpuset, scaled
from qcaps.rules.refusal import Refused
from qcaps.rules.start import paths
from qcaps.rules.start.address import placed
from qcaps.rules.start.argument import on_off

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qcaps.domain.codec import Element
    from qcaps.domain.numa import NumaCell
    from qcaps.rules.start.argument import Json
    from qcaps.rules.start.guest import Guest

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


def memory(guest: Guest) -> Iterator[str]:
    """`-m`, the machine's own memory where there are no nodes, and `-overcommit`."""
    domain = guest.domain
    yield "-m"
    if domain.max_memory and domain.max_memory.value:
        most = -(-kib(domain.max_memory) // guest.alignment) * guest.alignment
        yield f"size={guest.initial_memory}k,slots={domain.max_memory.slots or 0},maxmem={most}k"
    else:
        yield str(guest.initial_memory // 1024)
    if not guest.nodes:
        if guest.default_ram:
            whole = Backed(name=guest.default_ram, size=guest.initial_memory, is_system=True)
            yield from backing(guest, whole)[1]
        else:
            yield from old_options(guest)
    locked = bool(domain.memory_backing and domain.memory_backing.locked)
    yield from ("-overcommit", f"mem-lock={on_off(state=locked)}")


def old_options(guest: Guest) -> Iterator[str]:
    """`-mem-prealloc` and `-mem-path`, for QEMUs that do not say what their memory is called."""
    backed = guest.domain.memory_backing
    if backed is None:
        return
    pages = backed.hugepages
    first = (_page_kib(pages.page[0].size, pages.page[0].unit) if pages.page else 0) if pages else None
    huge = first is not None and first != _SYSTEM_PAGE
    if huge or (backed.allocation and backed.allocation.mode == "immediate"):
        yield "-mem-prealloc"
    if huge:
        yield from ("-mem-path", paths.huge_pages(guest.domain, first or 0))
    elif backed.source and backed.source.type == "file":
        yield from ("-mem-path", paths.memory(guest.domain, "ram"))


def modules(guest: Guest) -> Iterator[str]:
    """Memory modules: what backs each, then the device."""
    for module in guest.of(Memory):
        yield from _module(guest, module)


def backing(guest: Guest, what: Backed, *, force: bool = False) -> tuple[bool, tuple[str, ...]]:
    """Whether the object is needed, and the arguments that make it."""
    domain = guest.domain
    backed = domain.memory_backing
    source = backed.source.type if backed and backed.source else None
    access = what.access or _node_access(guest, what.node)
    if access is None and backed and backed.access:
        access = backed.access.mode
    page, needs_page, uses_page, prealloc = _pages(guest, what)
    properties: dict[str, Json] = {}
    share = None if access is None else access == "shared"
    if what.model == "sgx-epc":
        kind, prealloc = "memory-backend-epc", True
    elif what.path is None and source == "memfd":
        kind = "memory-backend-memfd"
        if kind not in guest.capabilities:
            raise Refused("this QEMU has no memory-backend-memfd", what.element or backed)
        properties |= {
            "hugetlb": uses_page or None,
            "hugetlbsize": page * 1024 if uses_page and page else None,
            "share": share,
        }
    elif uses_page or what.path or access or source == "file":
        kind = "memory-backend-file"
        own = paths.huge_pages(domain, page) if uses_page else paths.memory(domain, what.name)
        discard = what.discard if what.discard is not None else _node_discard(guest, what.node)
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
        and flag in guest.capabilities
    ):
        properties["x-use-canonical-path-for-ramblock-id"] = False
    properties |= _allocation(guest, what, prealloc=prealloc)
    nodes, mode, is_set = _host_nodes(guest, what)
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
    return needed, (*_thread_context(guest, made), *guest.backend(made))


def _allocation(guest: Guest, what: Backed, *, prealloc: bool) -> dict[str, Json]:
    given = guest.domain.memory_backing.allocation if guest.domain.memory_backing else None
    properties: dict[str, Json] = {}
    if what.model == "virtio-mem":
        properties["reserve"] = False if "memory-backend-file.reserve" in guest.capabilities else None
    else:
        properties |= {
            "prealloc": prealloc or None,
            "prealloc-threads": ((given.threads if given else None) or None),
        }
    if what.pmem and "memory-backend-file.pmem" not in guest.capabilities:
        raise Refused("this QEMU cannot treat a file as persistent memory", what.element)
    return properties | {
        "size": what.size * 1024,
        "align": what.align * 1024 or None,
        "pmem": what.pmem or None,
    }


def _thread_context(guest: Guest, made: dict[str, Json]) -> tuple[str, ...]:
    """Threads that allocate on the nodes the memory comes from; changes `made` to name them."""
    if "thread-context" not in guest.capabilities or not made.get("host-nodes") or not made.get("prealloc"):
        return ()
    name = f"tc-{made['id']}"
    made["prealloc-context"] = name
    return guest.backend({"qom-type": "thread-context", "id": name, "node-affinity": made["host-nodes"]})


def _pages(guest: Guest, what: Backed) -> tuple[int, bool, bool, bool]:
    """The page size in KiB (0: the host's default); whether pages need a file, are huge; prealloc."""
    backed = guest.domain.memory_backing
    page, needs, uses = what.page, bool(what.page), bool(what.page)
    if not page and backed and backed.hugepages:
        listed = backed.hugepages.page
        own = next((p for p in listed if p.nodeset and what.node in _set(p.nodeset)), None)
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


def _host_nodes(guest: Guest, what: Backed) -> tuple[list[int], str, bool]:
    """The host nodes, the mode, and whether they were given for this very node."""
    tune = guest.domain.numatune
    per_node = [one for one in tune.memnode if one.cellid == what.node] if tune else []
    general = tune.memory if tune else None
    mode = (per_node[0].mode if per_node else None) or (general.mode if general else None) or "strict"
    nodes = what.source_nodes or (per_node[0].nodeset if per_node else None)
    if nodes is None and general and general.placement != "auto":
        nodes = general.nodeset
    return sorted(_set(nodes)) if nodes else [], mode, bool(per_node)


def _node(guest: Guest, number: int | None) -> NumaCell | None:
    return guest.nodes[number] if number is not None and number < len(guest.nodes) else None


def _node_access(guest: Guest, number: int | None) -> str | None:
    node = _node(guest, number)
    return node.mem_access if node else None


def _node_discard(guest: Guest, number: int | None) -> bool | None:
    node = _node(guest, number)
    return node.discard if node else None


def _set(text: str) -> frozenset[int]:
    return cpuset(text)


def _page_kib(size: int, unit: str | None) -> int:
    return -(-scaled(size, unit) // 1024)


_DEVICES = {
    "dimm": "pc-dimm",
    "nvdimm": "nvdimm",
    "virtio-pmem": "virtio-pmem-pci",
    "virtio-mem": "virtio-mem-pci",
}


def _module(guest: Guest, module: Memory) -> Iterator[str]:
    source, target, name = module.source, module.target, guest.alias(module)
    what = Backed(
        name=f"mem{name}",
        size=guest.module_memory(module),
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
    yield from backing(guest, what, force=True)[1]
    driver = _DEVICES.get(module.model)
    if driver is None or target is None:
        return  # pages of SGX are named in -machine
    prealloc = module.model == "virtio-mem" and "virtio-mem-pci.prealloc" in guest.capabilities
    label = target.label.size if target.label else None
    yield from guest.device(
        {
            "driver": driver,
            "node": target.node,
            "label-size": kib(label) * 1024 or None,
            "block-size": kib(target.block) * 1024 or None,
            "requested-size": kib(target.requested) * 1024 or None,
            "uuid": module.uuid,
            "unarmed": True if target.readonly else None,
            "memdev": f"mem{name}",
            "prealloc": (prealloc and _pages(guest, what)[3]) or None,
            "id": name,
            **placed(guest, module),
        }
    )
