"""PCI addresses, and the controllers that have to be added for them.

As libvirt does, once for planning, to learn which buses the devices need, and once in earnest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qcaps.domainxml.devices import Controller
from qcaps.release import R9_0, R11_3, since
from qcaps.rules import limits
from qcaps.rules.addresses.pci import flags as f
from qcaps.rules.addresses.pci.bus import MODELS, Bus
from qcaps.rules.addresses.pci.chipset import piix3_part, reserve_chipset
from qcaps.rules.addresses.pci.options import fill_options
from qcaps.rules.addresses.pci.slots import Places, assign_slots
from qcaps.rules.addresses.pci.space import At, Space
from qcaps.rules.addresses.pci.zpci import identify
from qcaps.rules.machine import is_arm_virt, is_pseries, is_riscv_virt
from qcaps.rules.refusal import Refused
from qcaps.rules.shared.controllers import added_in_order
from qcaps.rules.shared.pci import ways

if TYPE_CHECKING:
    from qcaps.capabilities.model import Capabilities
    from qcaps.domainxml.domain import Domain
    from qcaps.release import Since
    from qcaps.rules.draft import Draft

_ADDED_GO_BY_INDEX: Final[Since[bool]] = {R9_0: False, R11_3: True}
"""Whether an added PCI controller gets its address among those there are, by index; before, after them."""
_ROOTS = ("pci-root", "pcie-root")
_MAYBE_WITHOUT_PCI = frozenset({"armv6l", "armv7l", "aarch64", "riscv32", "riscv64"})


def assign_pci(draft: Draft, caps: Capabilities) -> None:
    """Gives each PCI device an address and adds the controllers that takes. Raises Refused.

    Follows: qemuDomainAssignPCIAddresses
    """
    indices = _indices(draft)
    last = max(indices, default=-1)
    limits.check_number("PCI controllers", last + 1, limits.CONTROLLERS)
    express = indices.get(0) == "pcie-root"
    way = ways(express=express, virtio_express="virtio-pci-non-transitional" in caps)
    places = Places(draft, way, mmio="virtio-mmio" in caps)
    count = last + 1
    if count:
        plan = _space(draft, caps, places, count, planning=True)
        reserve_chipset(draft.domain, places, plan)
        if indices.get(0) == "pci-root" and not all(bus.full for bus in plan.buses):
            plan.reserve_next(way.pci, None)  # room for a bridge, for what may be plugged in later
        assign_slots(places, plan)
        if last == 0 and len(plan.buses) > 1 and express:
            # the user leaves controllers to us: one more port, for what may be plugged in later
            plan.reserve_next(f.PCIE | f.AUTOASSIGN, None)
        _add_controllers(draft, places, plan, indices)
        if since(_ADDED_GO_BY_INDEX, draft.release):
            places.sort_controllers()
        count = len(plan.buses)
    space = _space(draft, caps, places, count, planning=False)
    if not supports_pci(draft.domain, caps):
        return
    reserve_chipset(draft.domain, places, space)
    assign_slots(places, space)
    if "zpci" in caps:
        identify(places.all())
    _mark_shared_slots(places)
    for place in places.all():
        place.write()
    added_in_order(draft)
    fill_options(draft, caps)


def supports_pci(domain: Domain, caps: Capabilities) -> bool:
    """Whether the machine can have PCI at all.

    Follows: qemuDomainSupportsPCI
    """
    if domain.arch not in _MAYBE_WITHOUT_PCI or domain.machine == "versatilepb":
        return True
    return "gpex-pcihost" in caps and (is_arm_virt(domain) or is_riscv_virt(domain))


def _indices(draft: Draft) -> dict[int, str]:
    """The models of the PCI controllers by their index."""
    models: dict[int, str] = {}
    for controller in draft.of(Controller):
        if controller.type != "pci":
            continue
        index = controller.index or 0
        if index in models:
            raise Refused(f"XML error: two 'pci' controllers have the index {index}", controller)
        if controller.model not in MODELS:
            raise Refused("internal error: the PCI controller has no model", controller)
        models[index] = controller.model
    return models


def _space(draft: Draft, caps: Capabilities, places: Places, count: int, *, planning: bool) -> Space:
    """The buses of the domain, with the addresses that are given in it taken.

    Follows: qemuDomainPCIAddressSetCreate
    """
    pseries = is_pseries(draft.domain)
    space = Space(planning=planning, many_roots=pseries, pcie_bridges="pcie-pci-bridge" in caps)
    given: dict[int, Bus] = {}
    for controller in draft.of(Controller):
        if controller.type == "pci":
            hotplug = controller.target is None or controller.target.hotplug is not False
            given[controller.index or 0] = Bus(controller.model or "", hotplug=hotplug)
    express = any(bus.model == "pcie-root" for bus in given.values())
    default = "pci-root" if pseries else "pcie-root-port" if express else "pci-bridge"
    for index in range(count):
        space.add(given.get(index) or Bus(default if index else "pci-root"))
    _collect_given(places, space)
    return space


# Follows: qemuDomainCollectPCIAddress
def _collect_given(places: Places, space: Space) -> None:
    for place in places.all():
        if place.at is None:
            continue
        if piix3_part(place):
            if space.buses and not space.buses[0].flags & f.PCI:
                raise Refused("internal error: PIIX3's controllers need PCI on bus 0", place.device)
            continue
        # as libvirt: a device that should have no address counts as a conventional one
        at = space.reserve(place.at, place.flags or f.PCI, place.device, domain=place.domain)
        if at != place.at:
            place.put(at)


def _add_controllers(draft: Draft, places: Places, plan: Space, indices: dict[int, str]) -> None:
    """Adds a controller for each bus that the plan has and the domain has not."""
    controllers = draft.of(Controller)
    index = 1
    while index < len(plan.buses):  # a controller added may need a bus itself
        if index not in indices:
            model = plan.buses[index].model
            place = places.add(controllers, Controller(type="pci", index=index, model=model))
            if model not in _ROOTS:
                plan.reserve_next(place.flags, place.device)
        index += 1


def _mark_shared_slots(places: Places) -> None:
    """Sets multifunction on function 0 of each slot in which another function is used.

    Follows: virDomainPCIAddressSetAllMulti
    """
    shared: set[At] = set()
    first = []
    for place in places.all():
        if place.at is None:
            continue
        if place.at.function:
            shared.add(place.at._replace(function=0))
        else:
            first.append(place)
    for place in first:
        if place.at in shared:
            place.share()
