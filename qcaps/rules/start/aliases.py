"""The names devices get inside QEMU; one that a user chose begins with ua- and stays."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from qcaps.domainxml.devices import Controller
from qcaps.rules import orders
from qcaps.rules.shared.alias import Surroundings

if TYPE_CHECKING:
    from qcaps.rules.draft import Draft

_USERS_OWN = "ua-"
_NAMED = tuple((kind.device, kind.alias) for kind in orders.NAMED if kind.alias is not None)


def aliases(draft: Draft) -> dict[int, str]:
    """Names by `id` of the device.

    Follows: qemuAssignDeviceAliases
    """
    names: dict[int, str] = {}
    counted: Counter[str] = Counter()
    lsi = frozenset(
        one.index or 0 for one in draft.of(Controller) if one.type == "scsi" and one.model == "lsilogic"
    )
    surroundings = Surroundings(draft.domain, lsi)
    for kind, name in _NAMED:
        for place, device in enumerate(draft.of(kind)):
            own = device.alias.name if device.alias else None
            names[id(device)] = (
                own if own and own.startswith(_USERS_OWN) else name(surroundings, device, counted, place)
            )
    return names
