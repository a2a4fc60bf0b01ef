"""The counted laws: how many lookups each policy makes in each task, and how many forks they cost.

D is the number of devices in the result, implicit ones included; an interface that hands a host device
through counts twice, as in `libvirt_laws`. The laws were counted on libvirt (its
releases, and the patches of 2018) and are what the pipeline is held to. Those of the policy `stock` are
libvirt's own, from `libvirt_laws`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from qcaps.lookups import libvirt_laws
from qcaps.lookups.policy import STOCK, STOCK_OF, release_under
from qcaps.release import R9_0, R11_3, since

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qcaps.release import Release, Since

Law = Callable[[int], int]


def _exactly(lookups: int) -> Law:
    return lambda _devices: lookups


def _per_device(each: int, constant: int) -> Law:
    return lambda devices: constant + each * devices


def _patches(first: int, last: int, law: Law) -> dict[str, Law]:
    return {f"patch-{number}": law for number in range(first, last + 1)}


_FEW: dict[str, Law] = {"once": _exactly(1), "once-abort": _exactly(1), "oracle": _exactly(0)}

_DEFINE: dict[str, Law] = {
    **_FEW,
    "naive": _per_device(1, 2),
    "series": _exactly(2),
    **_patches(1, 10, _per_device(1, 2)),
    "patch-8": _per_device(1, 3),
    "patch-11": _exactly(2),
}

_START: dict[str, Law] = {
    **_FEW,
    "naive": _per_device(1, 3),
    "series": _exactly(1),
    **_patches(1, 3, _per_device(1, 3)),
    **_patches(4, 8, _per_device(1, 2)),
    **_patches(9, 10, _per_device(1, 1)),
    "patch-11": _exactly(1),
}

_CREATE: dict[str, Law] = {
    **_FEW,
    "naive": _per_device(2, 4),
    "series": _exactly(3),
    **_patches(1, 7, _per_device(2, 4)),
    "patch-8": _per_device(2, 5),
    **_patches(9, 10, _per_device(2, 3)),
    "patch-11": _exactly(3),
}

_ATTACH: Since[dict[str, Law]] = {
    R9_0: {**_FEW, "naive": _exactly(4), "series": _exactly(3)},
    # the whole definition is validated again: a pass more
    R11_3: {**_FEW, "naive": _per_device(1, 5), "series": _exactly(4)},
}
_DETACH: dict[str, Law] = {**_FEW, "naive": _exactly(3), "series": _exactly(3)}

LAWS: Mapping[str, Since[dict[str, Law]]] = {
    "define": {R9_0: _DEFINE},
    "define+undefine": {R9_0: _DEFINE},
    "redefine": {R9_0: _DEFINE},
    "start": {R9_0: _START},
    "createXML": {R9_0: _CREATE},
    "attach": _ATTACH,
    "detach": {R9_0: _DETACH},
}
"""By task, by release, by policy; `stock` has its own table."""

_OF_LIBVIRT: Final = {"define+undefine": "define"}
"""What libvirt's own laws call a task, where it is another name."""

_CHECKS_AT_THE_END = {"once-abort": 1}
_FORKS_A_VALIDATION = {"fork": 1, "ctime": 0, "watch": 0, "trust": 0}


def lookups(policy: str, task: str, devices: int, release: Release | None = None) -> int | None:
    """Lookups of one task; None where no closed form is known.

    Without a release that of the policy's name holds, as in `libvirt-9.0`, else the default.
    """
    ruled = release_under(policy, release)
    if policy == STOCK.name or policy in STOCK_OF:
        stock = libvirt_laws.law(_OF_LIBVIRT.get(task, task), ruled) if task in LAWS else None
        return None if stock is None else stock.lookups(devices)
    if task not in LAWS:
        return None
    law = since(LAWS[task], ruled).get(policy)
    return None if law is None else law(devices)


def forks(policy: str, task: str, validity: str, devices: int, release: Release | None = None) -> int | None:
    """Forks of one task on a warm cache that stays valid; None where no closed form is known."""
    asked, each = lookups(policy, task, devices, release), _FORKS_A_VALIDATION.get(validity)
    return None if asked is None or each is None else each * (asked + _CHECKS_AT_THE_END.get(policy, 0))
