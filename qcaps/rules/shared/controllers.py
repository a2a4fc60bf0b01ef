"""The order in which controllers are kept."""

from __future__ import annotations

from itertools import chain
from operator import itemgetter
from typing import TYPE_CHECKING, Final

from qcaps.domainxml.devices import Controller
from qcaps.release import R9_0, R11_3, since

if TYPE_CHECKING:
    from qcaps.release import Since
    from qcaps.rules.draft import Draft

_ADDED_IN_ORDER: Final[Since[bool]] = {R9_0: False, R11_3: True}
"""Whether a controller that libvirt adds stands beside its like; before, at the end."""


def added_in_order(draft: Draft) -> bool:
    """Whether controllers that were added are put in order; if so, they are so now."""
    if not since(_ADDED_IN_ORDER, draft.release):
        return False
    sort_controllers(draft.of(Controller))
    return True


def sort_controllers(controllers: list[Controller]) -> None:
    """Types stay in the order of their first controller; within one, indexes decide.

    Follows: virDomainControllerInsertPreAlloced
    """
    groups: dict[str | None, list[Controller]] = {}
    for controller in controllers:
        groups.setdefault(controller.type, []).append(controller)
    controllers[:] = chain.from_iterable(map(_sorted_by_index, groups.values()))


def _sorted_by_index(group: list[Controller]) -> list[Controller]:
    """By index, a USB master before its companions; one without an index stays behind what it followed."""
    first: list[Controller] = []
    runs: list[tuple[tuple[int, bool], list[Controller]]] = []
    last = first
    highest = (-1, False)
    for controller in group:
        if controller.index is None:
            last.append(controller)
            continue
        key = (controller.index, controller.master is not None)
        run = [controller]
        runs.append((key, run))
        if key >= highest:
            highest, last = key, run
    runs.sort(key=itemgetter(0))
    return [*first, *chain.from_iterable(run for _, run in runs)]
