"""Which sites share one lookup, and what an invalidation does: values only; `lookup` carries them out."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from qcaps.errors import UsageError, unknown
from qcaps.lookups.site import Site
from qcaps.release import DEFAULT, MODELLED, Release

if TYPE_CHECKING:
    from collections.abc import Mapping


class Sharing(enum.Enum):
    """How a site comes by its capabilities."""

    ALONE = "looks up for itself, every time"
    PASS = "takes what its pass (one post-parse, one validation, one start) has looked up"  # noqa: S105
    TASK = "takes what the task has looked up"
    HANDED = "takes what the caller handed in; never looks up"
    ABSENT = "is no site in this policy"


@dataclass(frozen=True)
class Policy:
    """One way to share lookups. `abort`: a task whose capabilities were invalidated meanwhile is undone.

    `keeps`: a running domain keeps the capabilities it was started with, and what is done to it takes these.
    """

    name: str
    stands_for: str
    sharing: Mapping[Site, Sharing]
    abort: bool = False
    keeps: bool = False

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return by_name, (self.name,)


def _policy(
    name: str, stands_for: str, sharing: Mapping[Site, Sharing], *, abort: bool = False, keeps: bool = False
) -> Policy:
    return Policy(name, stands_for, MappingProxyType(dict(sharing)), abort=abort, keeps=keeps)


def _all(sharing: Sharing) -> dict[Site, Sharing]:
    return dict.fromkeys(Site, sharing) | {Site.VALIDATE_PREPARE: Sharing.ABSENT}


_NAIVE = _all(Sharing.ALONE) | {
    # since 3.7 (July 2017) one post-parse takes its capabilities once and hands them to its callbacks
    Site.POST_PARSE: Sharing.PASS,
    Site.POST_PARSE_DEVICE: Sharing.PASS,
    Site.ADDRESSES: Sharing.PASS,
}

_PER_CALLBACK = _NAIVE | {
    Site.POST_PARSE: Sharing.ALONE,
    Site.POST_PARSE_DEVICE: Sharing.ALONE,
    Site.ADDRESSES: Sharing.ALONE,
    # before 4.0 the validation of a device asked nothing
    Site.VALIDATE_DEVICE: Sharing.PASS,
    Site.START_VALIDATE_DEVICE: Sharing.PASS,
    Site.DEVICE_PARSE_VALIDATE: Sharing.PASS,
}

_STOCK = _NAIVE | {
    # a start looks up once (counted); only the define fell back
    Site.START_VALIDATE: Sharing.PASS,
    Site.START_VALIDATE_DEVICE: Sharing.PASS,
    Site.TRANSIENT_COPY: Sharing.PASS,
}

SERIES: tuple[tuple[str, Mapping[Site, Sharing]], ...] = (
    ("use VIR_STEAL_PTR", {}),
    ("qemuDomainUpdateQEMUCaps", {}),
    ("hand capabilities to virDomainDefPostParse", {}),
    ("getParseOpaque in virDomainObjSetDefTransient", {Site.TRANSIENT_COPY: Sharing.PASS}),
    ("fix a comment", {}),
    ("drop virDomainDeviceDefPostParseOne", {}),
    ("validation takes parseOpaque", {}),
    ("domainPostParseDataAlloc in virDomainDefValidate", {Site.VALIDATE_PREPARE: Sharing.PASS}),
    (
        "parseOpaque used in qemuDomainDefValidate",
        {Site.VALIDATE: Sharing.PASS, Site.START_VALIDATE: Sharing.PASS},
    ),
    ("device validation takes parseOpaque", {}),
    (
        "parseOpaque used in qemuDomainDeviceDefValidate",
        {
            Site.VALIDATE_DEVICE: Sharing.PASS,
            Site.START_VALIDATE_DEVICE: Sharing.PASS,
            Site.DEVICE_PARSE_VALIDATE: Sharing.PASS,
        },
    ),
)
"""The 11 patches of 2018 and the sites each hoists: a reconstruction from their titles and file lists."""


def _ladder() -> tuple[Policy, ...]:
    """The policy after each patch: a fold over the sites it hoists."""
    steps, sharing = [], dict(_NAIVE)
    for number, (title, hoisted) in enumerate(SERIES, start=1):
        sharing |= hoisted
        steps.append(_policy(f"patch-{number}", f"after patch {number}: {title}", sharing))
    return tuple(steps)


LADDER = _ladder()

NAIVE = _policy("naive", "libvirt 4.0 to 4.7, and the define of 9.0 again", _NAIVE)
PER_CALLBACK = _policy("per-callback", "libvirt up to 3.6: every callback for itself", _PER_CALLBACK)
STOCK = _policy("stock", "a release of libvirt as counted, its start included", _STOCK, keeps=True)
SERIES_POLICY = _policy("series", "after the 11 patches of 2018", LADDER[-1].sharing)
ONCE = _policy("once", "one lookup a task: the correct way", _all(Sharing.TASK))
ONCE_ABORT = _policy("once-abort", "one lookup a task, undone if invalidated", _all(Sharing.TASK), abort=True)
ORACLE = _policy("oracle", "capabilities handed in: the lower limit", _all(Sharing.HANDED))

POLICIES = (NAIVE, PER_CALLBACK, STOCK, *LADDER, SERIES_POLICY, ONCE, ONCE_ABORT, ORACLE)


STOCK_OF: Mapping[str, Release] = MappingProxyType({f"libvirt-{release}": release for release in MODELLED})
"""Other names of the policy `stock`, each with the release it is for."""


def by_name(name: str) -> Policy:
    """The policy called `name`; `libvirt-9.0` is another name of `stock`. Raises UsageError."""
    if name in STOCK_OF:
        return STOCK
    for policy in POLICIES:
        if policy.name == name:
            return policy
    raise unknown("policy", name, (*(policy.name for policy in POLICIES), *STOCK_OF))


def release_under(name: str, asked: Release | None = None) -> Release:
    """The release that a policy by that name is for: the one `asked` for, that of the name, or the default.

    Raises UsageError where the name is for another one than is asked for.
    """
    own = STOCK_OF.get(name)
    if own is not None and asked not in (None, own):
        raise UsageError(f"the policy {name} is that of release {own}, not {asked}: ask for the policy stock")
    return own or asked or DEFAULT
