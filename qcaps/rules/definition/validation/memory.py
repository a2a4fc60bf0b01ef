"""Memory modules against the slots and the space for them, and huge pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qcaps.domainxml.devices import Memory
from qcaps.domainxml.memory import kib
from qcaps.domainxml.syntax import cpuset, each, scaled
from qcaps.release import R9_0, R11_3, since
from qcaps.rules.refusal import Refused
from qcaps.rules.shared.guest import address_type
from qcaps.rules.shared.refuse import need, unsupported

if TYPE_CHECKING:
    from qcaps.capabilities.model import Capabilities
    from qcaps.domainxml.memory import HugepagesPage, MemoryBacking
    from qcaps.release import Since
    from qcaps.rules.shared.guest import Guest

_NEED_SLOTS = frozenset({"dimm", "nvdimm"})
_SLOTS_FOR: Final[Since[frozenset[str] | None]] = {R9_0: None, R11_3: _NEED_SLOTS}
"""The models that take a slot of `<maxMemory>`; None: all."""
_ADDRESSES = {
    "dimm": ("dimm", None),
    "nvdimm": ("dimm", None),
    "virtio-pmem": ("pci", None),
    "virtio-mem": ("pci", None),
}
"""Types of address that a memory device may have."""


def check_hotplug(guest: Guest, added: Memory | None = None) -> None:
    """Whether `<maxMemory>` has a slot and the space for every memory device, `added` among them.

    Follows: qemuDomainDefValidateMemoryHotplug
    """
    modules = guest.draft.of(Memory)
    if added is not None:
        check_module(guest, added)
    most = guest.domain.max_memory
    slots, space = (0, 0) if most is None else (most.slots or 0, kib(most))
    count = len(modules) + (added is not None)
    if not slots and not space:
        if count:
            raise unsupported("a memory device needs <maxMemory>", added or modules[0])
        return
    if not guest.is_ppc64 and not guest.cells:
        raise unsupported("<maxMemory> needs at least one NUMA node", most)
    count = _slots_needed(guest, modules if added is None else [*modules, added])
    if count > slots:
        raise unsupported(f"{count} memory devices are more than the {slots} slots of <maxMemory>", most)
    taken = sum(_size(module) for module in modules)
    if added is None:
        for module in modules:
            if module.model != "sgx-epc":
                check_module(guest, module)
        _check_slots(modules)
    initial = kib(guest.domain.memory) - taken
    if taken + (_size(added) if added is not None else 0) > space - initial:
        raise unsupported("the memory devices are larger than the space below <maxMemory>", most)


def _slots_needed(guest: Guest, modules: list[Memory]) -> int:
    takers = since(_SLOTS_FOR, guest.draft.release)
    return len(modules) if takers is None else sum(one.model in takers for one in modules)


def _size(module: Memory) -> int:
    return kib(module.target.size) if module.target is not None else 0


def check_module(guest: Guest, module: Memory) -> None:
    """The address of one memory device, and the node it belongs to.

    Follows: qemuDomainDefValidateMemoryHotplugDevice
    """
    if module.model == "sgx-epc":
        raise unsupported("memory of model 'sgx-epc' cannot be plugged in", module)
    kind = address_type(module)
    if kind not in _ADDRESSES[module.model]:
        raise unsupported(f"memory of model '{module.model}' takes no address of type '{kind}'", module)
    if (
        module.model != "virtio-pmem"
        and guest.cells
        and (module.target is None or module.target.node is None)
    ):
        raise unsupported("a memory device needs the NUMA <node> it belongs to", module)
    slots = guest.domain.max_memory.slots if guest.domain.max_memory is not None else 0
    address = module.address
    if address is not None and address.type == "dimm" and (address.slot or 0) >= (slots or 0):
        raise unsupported(f"slot {address.slot} is above the {slots} slots of <maxMemory>", module)


def _check_slots(modules: list[Memory]) -> None:
    slots: set[int] = set()
    bases: set[int] = set()
    for module in modules:
        address = module.address
        if address is None or address.type != "dimm":
            continue
        if (slot := address.slot or 0) in slots:
            raise unsupported(f"memory slot {slot} is used twice", module)
        slots.add(slot)
        if address.base:
            if address.base in bases:
                raise unsupported(f"memory base {address.base:#x} is used twice", module)
            bases.add(address.base)


def page_kib(page: HugepagesPage) -> int:
    """The size of one huge page in KiB."""
    return -(-scaled(page.size, page.unit) // 1024)


def check_hugepages(guest: Guest, caps: Capabilities) -> None:
    """Huge pages against the way the memory is allocated and shared.

    Follows: qemuValidateDomainDefMemory
    """
    backing = guest.domain.memory_backing
    if backing is None or backing.hugepages is None:
        return
    if backing.allocation is not None:
        if backing.allocation.mode == "ondemand":
            raise unsupported("huge pages cannot be allocated on demand", backing.allocation)
        if backing.allocation.threads:
            need(caps, "memory-backend-file.prealloc-threads", "threads of <allocation>", backing.allocation)
    source = None if backing.source is None else backing.source.type
    if source == "anonymous":
        raise unsupported("huge pages cannot be anonymous memory", backing.source)
    if source == "memfd":
        need(caps, "memory-backend-memfd.hugetlb", "memfd with huge pages", backing.source)
    _check_sharing(guest, caps, backing)


def _check_sharing(guest: Guest, caps: Capabilities, backing: MemoryBacking) -> None:
    machine = guest.machine_in(caps)
    if guest.cells or (machine is not None and machine.default_ram_id) or not guest.memory_shared:
        return
    pages = backing.hugepages.page if backing.hugepages is not None else ()
    if not pages or page_kib(pages[0]) != guest.host.page_kib:
        raise unsupported("memory access 'shared' needs a NUMA node with this machine type", backing.access)


def check_hugepage_nodes(guest: Guest) -> None:
    """Whether the nodes of the sizes of huge pages are there, and each has one size.

    Follows: virDomainDefMemtuneValidate
    """
    backing = guest.domain.memory_backing
    if backing is None or backing.hugepages is None:
        return
    master: HugepagesPage | None = None
    sized = 0
    for page in backing.hugepages.page:
        nodes = cpuset(page.nodeset) if page.nodeset is not None else 0
        if not guest.cells and nodes == 1:
            nodes = 0  # without NUMA, node 0 is all there is
        if not nodes:
            if master is not None:
                raise Refused(
                    f"huge pages of {page_kib(master)} and {page_kib(page)} KiB both lack a nodeset", page
                )
            master = page
        for node in each(nodes & sized):
            raise Refused(f"guest node {node} has two sizes of huge pages", page)
        sized |= nodes
        # as libvirt: an absent node is told of after the page is compared with those before it
        for absent in each(nodes >> len(guest.cells) << len(guest.cells)):
            raise Refused(f"huge pages for guest node {absent}, which is not there", page)
