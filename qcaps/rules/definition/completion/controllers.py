"""Controllers: their indexes, their default models, and those that other devices imply."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from qcaps.domain.address import CcidAddress, DriveAddress, VirtioSerialAddress
from qcaps.domain.codec import evolve
from qcaps.domain.device import DeviceMaster
from qcaps.domain.devices import Channel, Console, Controller, Disk, Hostdev, Smartcard
from qcaps.rules import limits
from qcaps.rules.definition.completion import numa
from qcaps.rules.machine import (
    has_builtin_esp,
    is_arm_virt,
    is_i440fx,
    is_ppc64,
    is_pseries,
    is_q35,
    is_s390,
)
from qcaps.rules.refusal import Refused
from qcaps.rules.shared.sizes import in_kib

if TYPE_CHECKING:
    from qcaps.capabilities.model import Capabilities
    from qcaps.domain.domain import Domain
    from qcaps.rules.draft import Draft
    from qcaps.rules.shared.state import State

_START_PORTS: Final = {"ich9-uhci1": 0, "ich9-uhci2": 2, "ich9-uhci3": 4}
_USB2: Final = frozenset({"ich9-ehci1", *_START_PORTS})
_ROOTS: Final = frozenset({"pci-root", "pcie-root"})
_ZERO_MEANS_NONE: Final = ("queues", "cmd_per_lun", "max_sectors", "iothread")
_XHCI: Final = frozenset({"nec-xhci", "qemu-xhci"})
_MOST_XHCI_PORTS: Final = 15
_WITH_IOTHREAD: Final = frozenset({"virtio-scsi", "virtio-transitional", "virtio-non-transitional"})
_DISK_CONTROLLERS: Final = ("scsi", "fdc", "ide", "sata")


def parsed(_domain: Domain, controller: Controller) -> Controller:
    """A companion of the ICH9 EHCI controller starts at the port it is wired to; zeros say nothing."""
    changes: dict[str, Any] = {"type": controller.type}
    if controller.model in _START_PORTS and controller.type == "usb" and controller.master is None:
        changes["master"] = DeviceMaster(startport=_START_PORTS[controller.model])
    if controller.type == "usb" and controller.model == "none":
        changes["address"] = None
    given = controller.__dict__
    if (hole := given.get("pcihole64")) is not None:
        changes["pcihole64"] = in_kib(hole) if controller.model in _ROOTS else None
    if (driver := given.get("driver")) is not None:
        driver = evolve(driver, **{name: getattr(driver, name) or None for name in _ZERO_MEANS_NONE})
        said = any(value is not None for name, value in driver.__dict__.items() if name != "line")
        changes["driver"] = driver if said else None
    return evolve(controller, **changes)


def assign_indexes(draft: Draft) -> None:
    """Gives a controller without an index the lowest free one of its type.

    A USB2 controller joins the one before it, while that group has none of its model.
    """
    controllers = draft.of(Controller)
    used: dict[str | None, set[int]] = {}
    usb2: set[tuple[int | None, str | None]] = set()
    for one in controllers:
        if one.index is not None:
            used.setdefault(one.type, set()).add(one.index)
            if one.type == "usb":
                usb2.add((one.index, one.model))
    lowest: dict[str | None, int] = {}
    before: Controller | None = None
    for position, one in enumerate(controllers):
        index = one.index
        if index is None:
            if one.type == "usb" and one.model in _USB2 and before is not None and before.model in _USB2:
                index = None if (before.index, one.model) in usb2 else before.index
            if index is None:
                taken = used.setdefault(one.type, set())
                index = lowest.get(one.type, 0)
                while index in taken:
                    index += 1
                taken.add(index)
                lowest[one.type] = index
            one = controllers[position] = evolve(one, index=index)  # noqa: PLW2901  # from here on with its index
        if one.type == "usb":
            usb2.add((one.index, one.model))
            before = one


def complete(state: State, controller: Controller) -> Controller:
    """The default model, and what the machine cannot have."""
    step = _COMPLETE.get(controller.type or "")
    if step is not None:
        controller = step(state, controller)
    if (
        controller.driver is not None
        and controller.driver.iothread
        and controller.model not in _WITH_IOTHREAD
    ):
        raise Refused("XML error: only virtio SCSI controllers have an iothread", controller)
    return controller


def _scsi(state: State, controller: Controller) -> Controller:
    if controller.model not in (None, "auto"):
        return controller
    model = _scsi_model(state.domain, state.caps)
    if model is None:
        raise Refused(f"internal error: no model for SCSI controller {controller.index}", controller)
    return evolve(controller, model=model)


def _scsi_model(domain: Domain, caps: Capabilities) -> str | None:
    if is_pseries(domain):
        return "ibmvscsi"
    if is_s390(domain):
        return "virtio-scsi"
    if "lsi" in caps:
        return "lsilogic"
    if "virtio-scsi-pci" in caps:
        return "virtio-scsi"
    return "ncr53c90" if has_builtin_esp(domain) else None


def _usb(state: State, controller: Controller) -> Controller:
    if controller.model is None:
        controller = evolve(controller, model=_usb_model(state.domain, state.caps, controller))
    if controller.model in ("qusb1", "qusb2"):
        raise Refused(f"unsupported configuration: QEMU has no USB model '{controller.model}'", controller)
    if controller.model in _XHCI and (controller.ports or 0) > _MOST_XHCI_PORTS:
        raise Refused(
            f"unsupported configuration: '{controller.model}' has up to {_MOST_XHCI_PORTS} ports", controller
        )
    return controller


def _usb_model(domain: Domain, caps: Capabilities, controller: Controller) -> str | None:
    piix3 = "piix3-uhci" if "piix3-usb-uhci" in caps else None
    if is_s390(domain):
        return "none" if controller.address is None else piix3
    if is_ppc64(domain):
        return _xhci(caps) or ("pci-ohci" if "pci-ohci" in caps else None)
    if domain.arch == "aarch64":
        return _xhci(caps) or piix3
    return piix3


def _xhci(caps: Capabilities) -> str | None:
    return "qemu-xhci" if "qemu-xhci" in caps else "nec-xhci" if "nec-usb-xhci" in caps else None


def _pci(state: State, controller: Controller) -> Controller:
    domain = state.domain
    if controller.model in _ROOTS and controller.index and not is_pseries(domain):
        raise Refused(f"XML error: the {controller.model} controller must have index 0", controller)
    if controller.model == "pci-expander-bus" and not is_i440fx(domain):
        raise Refused("unsupported configuration: pci-expander-bus needs a 440fx machine", controller)
    if controller.model == "pcie-expander-bus" and not (is_q35(domain) or is_arm_virt(domain)):
        raise Refused("unsupported configuration: pcie-expander-bus needs q35 or ARM's virt", controller)
    node = controller.target.node if controller.target is not None else None
    if node is not None and node >= numa.count(domain):
        raise Refused(f"XML error: the controller is on NUMA node {node}, which <cpu> lacks", controller)
    return controller


_COMPLETE: Final = {"scsi": _scsi, "usb": _usb, "pci": _pci}


class Present:
    """The controllers there are, by type and index."""

    def __init__(self, draft: Draft) -> None:
        self._list = draft.of(Controller)
        self._known: dict[tuple[str, int | None], Controller] = {
            (one.type, one.index): one for one in reversed(self._list)
        }

    def find(self, kind: str, index: int) -> Controller | None:
        """The first controller of that type and index."""
        return self._known.get((kind, index))

    def need(self, kind: str, index: int, model: str | None = None) -> None:
        """Adds a controller unless there is one."""
        if (kind, index) not in self._known:
            self.add(Controller(type=cast("Any", kind), index=index, model=model))

    def need_up_to(self, kind: str, highest: int, model: str | None = None) -> None:
        """Adds what is missing from 0 to `highest`. Raises Refused for an absurd number."""
        limits.check_number(f"{kind} controllers", highest + 1, limits.CONTROLLERS)
        for index in range(highest + 1):
            self.need(kind, index, model)

    def add(self, controller: Controller) -> None:
        """Adds `controller` at the end."""
        self._list.append(controller)
        self._known.setdefault((controller.type, controller.index), controller)


def need_for_scsi_hostdevs(draft: Draft) -> None:
    """Host SCSI devices bring controllers up to the highest they name, of the model of those there."""
    highest, model = -1, None
    present: Present | None = None
    for hostdev in draft.of(Hostdev):
        if hostdev.type != "scsi" or hostdev.mode == "capabilities":
            continue
        present = present or Present(draft)
        address = hostdev.address
        index = (address.controller or 0) if isinstance(address, DriveAddress) else 0
        if index > highest:
            highest = index
            there = present.find("scsi", index)
            if there is not None and there.model is not None:
                model = there.model
    if present is not None:
        present.need_up_to("scsi", highest, model)


def need_for_devices(draft: Draft) -> None:
    """Adds the controllers that addresses name and the file does not."""
    present = Present(draft)
    highest = dict.fromkeys(_DISK_CONTROLLERS, -1)
    for disk in draft.of(Disk):
        address = disk.address
        bus = disk.target.bus if disk.target is not None else None
        if isinstance(address, DriveAddress) and bus in highest:
            highest[bus] = max(highest[bus], address.controller or 0)
    for kind, index in highest.items():
        present.need_up_to(kind, index)
    devices: tuple[Channel | Console, ...] = (*draft.of(Channel), *draft.of(Console))
    for device in devices:
        if device.target is not None and device.target.type == "virtio":
            port = device.address
            index = (port.controller or 0) if isinstance(port, VirtioSerialAddress) else 0
            present.need("virtio-serial", index)
    _need_for_smartcards(draft, present)
    need_for_scsi_hostdevs(draft)


def _need_for_smartcards(draft: Draft, present: Present) -> None:
    cards = draft.of(Smartcard)
    slots = [
        one.address.slot or 0
        for one in cards
        if isinstance(one.address, CcidAddress) and not one.address.controller
    ]
    slot = max(slots, default=-1)
    for position, card in enumerate(cards):
        address = card.address
        if address is None:
            slot += 1
            address = CcidAddress(type="ccid", controller=0, slot=slot)
            cards[position] = evolve(card, address=address)
        present.need("ccid", (address.controller or 0) if isinstance(address, CcidAddress) else 0)


def refuse_duplicates(draft: Draft) -> None:
    """No two controllers of a type share an index, except USB ones."""
    seen: set[tuple[str | None, int | None]] = set()
    for one in draft.of(Controller):
        if one.type == "usb":
            continue
        if (one.type, one.index) in seen:
            raise Refused(f"XML error: two '{one.type}' controllers have index {one.index}", one)
        seen.add((one.type, one.index))
