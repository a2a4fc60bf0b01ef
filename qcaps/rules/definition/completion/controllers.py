"""Controllers: their indexes, their default models, and those that other devices imply."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from qcaps.domainxml.address import CcidAddress, DriveAddress, VirtioSerialAddress
from qcaps.domainxml.codec import evolve
from qcaps.domainxml.devices import Channel, Console, Controller, Disk, Hostdev, Smartcard
from qcaps.release import R9_0, R12_8, since
from qcaps.rules import limits
from qcaps.rules.devices.controller.complete import _START_PORTS
from qcaps.rules.refusal import Refused
from qcaps.rules.shared.controllers import added_in_order

if TYPE_CHECKING:
    from qcaps.release import Since
    from qcaps.rules.draft import Draft


_USB2: Final = frozenset({"ich9-ehci1", *_START_PORTS})


_DISK_CONTROLLERS: Final = ("scsi", "fdc", "ide", "sata")


def assign_indexes(draft: Draft) -> None:
    """Gives a controller without an index the lowest free one of its type.

    A USB2 controller joins the one before it, while that group has none of its model.

    Follows: virDomainAssignControllerIndexes
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
        """Adds a controller unless there is one.

        Follows: virDomainDefMaybeAddController
        """
        if (kind, index) not in self._known:
            self.add(Controller(type=cast("Any", kind), index=index, model=model))

    def need_up_to(self, kind: str, highest: int, model: str | None = None) -> None:
        """Adds what is missing from 0 to `highest`. Raises Refused for an absurd number."""
        limits.check_number(f"{kind} controllers", highest + 1, limits.CONTROLLERS)
        for index in range(highest + 1):
            self.need(kind, index, model)

    def add(self, controller: Controller) -> None:
        """Adds `controller` at the end.

        Follows: virDomainDefAddController
        """
        self._list.append(controller)
        self._known.setdefault((controller.type, controller.index), controller)


def need_for_scsi_hostdevs(draft: Draft) -> None:
    """Host SCSI devices bring controllers up to the highest they name, of the model of those there.

    Follows: virDomainDefMaybeAddHostdevSCSIcontroller
    """
    alike = since(_SCSI_ALIKE, draft.release)
    highest, model = -1, _first_scsi_model(draft) if alike else None
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
            if there is not None and there.model is not None and not alike:
                model = there.model
    if present is not None:
        present.need_up_to("scsi", highest, model)


def need_for_devices(draft: Draft) -> None:
    """Adds the controllers that addresses name and the file does not.

    Follows: virDomainDefAddImplicitControllers, virDomainDefAddDiskControllersForType
    Follows: virDomainDefMaybeAddVirtioSerialController
    """
    present = Present(draft)
    highest = dict.fromkeys(_DISK_CONTROLLERS, -1)
    for disk in draft.of(Disk):
        address = disk.address
        bus = disk.target.bus if disk.target is not None else None
        if isinstance(address, DriveAddress) and bus in highest:
            highest[bus] = max(highest[bus], address.controller or 0)
    for kind, index in highest.items():
        alike = kind == "scsi" and since(_SCSI_ALIKE, draft.release)
        present.need_up_to(kind, index, _first_scsi_model(draft) if alike else None)
    devices: tuple[Channel | Console, ...] = (*draft.of(Channel), *draft.of(Console))
    for device in devices:
        if device.target is not None and device.target.type == "virtio":
            port = device.address
            index = (port.controller or 0) if isinstance(port, VirtioSerialAddress) else 0
            present.need("virtio-serial", index)
    _need_for_smartcards(draft, present)
    need_for_scsi_hostdevs(draft)
    added_in_order(draft)


_SCSI_ALIKE: Final[Since[bool]] = {R9_0: False, R12_8: True}
"""Whether an added SCSI controller is of the model of the first that is there."""


def _first_scsi_model(draft: Draft) -> str | None:
    return next((one.model for one in draft.of(Controller) if one.type == "scsi"), None)


# Follows: virDomainDefMaybeAddSmartcardController
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
    """No two controllers of a type share an index, except USB ones.

    Follows: virDomainDefRejectDuplicateControllers
    """
    seen: set[tuple[str | None, int | None]] = set()
    for one in draft.of(Controller):
        if one.type == "usb":
            continue
        if (one.type, one.index) in seen:
            raise Refused(f"XML error: two '{one.type}' controllers have index {one.index}", one)
        seen.add((one.type, one.index))
