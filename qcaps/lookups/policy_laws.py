"""The counted laws: how many lookups each policy makes in each task, and how many forks they cost.

D is the number of devices in the result, implicit ones included. The laws were counted on libvirt (its 9.0.0,
and the patches of 2018) and are what the pipeline is held to.
"""

from __future__ import annotations

from collections.abc import Callable

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
    "libvirt-9.0": _per_device(1, 2),
    "series": _exactly(2),
    **_patches(1, 10, _per_device(1, 2)),
    "patch-8": _per_device(1, 3),
    "patch-11": _exactly(2),
}

_START: dict[str, Law] = {
    **_FEW,
    "naive": _per_device(1, 3),
    "libvirt-9.0": _exactly(1),
    "series": _exactly(1),
    **_patches(1, 3, _per_device(1, 3)),
    **_patches(4, 8, _per_device(1, 2)),
    **_patches(9, 10, _per_device(1, 1)),
    "patch-11": _exactly(1),
}

_CREATE: dict[str, Law] = {
    **_FEW,
    "naive": _per_device(2, 4),
    "libvirt-9.0": _per_device(1, 3),
    "series": _exactly(3),
    **_patches(1, 7, _per_device(2, 4)),
    "patch-8": _per_device(2, 5),
    **_patches(9, 10, _per_device(2, 3)),
    "patch-11": _exactly(3),
}

_ATTACH: dict[str, Law] = {**_FEW, "naive": _exactly(4), "series": _exactly(3)}
_DETACH: dict[str, Law] = {**_FEW, "naive": _exactly(3), "series": _exactly(3)}

LAWS: dict[str, dict[str, Law]] = {
    "define": _DEFINE,
    "define+undefine": _DEFINE,
    "redefine": _DEFINE,
    "start": _START,
    "createXML": _CREATE,
    "attach": _ATTACH,
    "detach": _DETACH,
}

_CHECKS_AT_THE_END = {"once-abort": 1}
_FORKS_A_VALIDATION = {"fork": 1, "ctime": 0, "watch": 0, "trust": 0}


def lookups(policy: str, task: str, devices: int) -> int | None:
    """Lookups of one task; None where no closed form is known."""
    law = LAWS.get(task, {}).get(policy)
    return None if law is None else law(devices)


def forks(policy: str, task: str, validity: str, devices: int) -> int | None:
    """Forks of one task on a warm cache that stays valid; None where no closed form is known."""
    asked, each = lookups(policy, task, devices), _FORKS_A_VALIDATION.get(validity)
    return None if asked is None or each is None else each * (asked + _CHECKS_AT_THE_END.get(policy, 0))
