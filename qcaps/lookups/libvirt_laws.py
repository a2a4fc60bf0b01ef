"""How often libvirt looks up, in closed form, by task and by release: the one table of it.

    lookups("define", xml)                       as the newest known release does
    lookups("attach", xml_after, R12_8)          as 12.8 does
    by_role("attach", xml_after, R12_8)          the same, taken apart by what asks
    law("attach", R12_8)                         the closed form itself, for a table or a figure
    role_of("qemuValidateDomainDeviceDef")       what a counted site is, the same in every release

`answer` is always the domain *after* the task, as libvirt shows it (XMLDesc, inactive): for attach that with
the new device and the controllers it brought along. What was there before the task is not needed. Counted on
7.0.0, 9.0.0, 11.3.0 and 12.8.0; the laws of 3.6 and 4.0 are from their history.

Since a release between 9.0 and 11.3, attach to the configuration of a domain that is shut off validates the
whole definition again, the new device and all that came with it included: 4 as before, 1 for the domain, and
1 for each device of the definition after. (D before + 6 fits where one device came and no other; an attach
that brings controllers along tells the two apart.)
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from qcaps.release import DEFAULT, R3_6, R4_0, R7_0, R9_0, R11_3, Release, Since, since

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lxml.etree import _Element


class Role(enum.Enum):
    """What asks; comparable across releases, whose functions have other names."""

    POST_PARSE = "post-parse"
    DOMAIN = "domain"
    """The validation of the domain."""
    DEVICE = "device"
    """The validation of a device."""
    COPY = "copy"
    """A copy of the capabilities, for a process or a CPU model."""
    API = "API call"
    """An API call of its own accord, and the host's capabilities."""


@dataclass(frozen=True)
class Law:
    """How often each role asks. `device`: for devices in hand; `every_device`: for each of the definition.

    `guest`: for each guest architecture of the host's capabilities.
    """

    post_parse: int = 0
    domain: int = 0
    device: int = 0
    every_device: int = 0
    copy: int = 0
    api: int = 0
    guest: int = 0

    @property
    def needs_answer(self) -> bool:
        """Whether the number hangs on what the task made."""
        return bool(self.every_device or self.guest)

    def by_role(self, devices: int = 0, guests: int = 0) -> dict[Role, int]:
        """The lookups of each role that makes any; `devices` counts visits, see `_visits`."""
        counts = {
            Role.POST_PARSE: self.post_parse,
            Role.DOMAIN: self.domain,
            Role.DEVICE: self.device + self.every_device * devices,
            Role.COPY: self.copy,
            Role.API: self.api + self.guest * guests,
        }
        return {role: count for role, count in counts.items() if count}

    def lookups(self, devices: int = 0, guests: int = 0) -> int:
        """All of them together."""
        return sum(self.by_role(devices, guests).values())


_NONE: Final = Law()
_PARSE: Final = Law(post_parse=1, domain=1, every_device=1)
_PARSE_AND_START: Final = Law(post_parse=1, domain=1, every_device=1, copy=1)
_CONFIG: Final = Law(post_parse=3, device=1)

TABLE: Final[Mapping[str, Since[Law | None]]] = {
    "define": {R4_0: _PARSE},
    "define-validated": {R4_0: _PARSE},
    "define+undefine": {R4_0: _PARSE},
    "redefine": {R4_0: _PARSE},
    "undefine": {R3_6: _NONE},
    # 4.0 fell back to a lookup a site in its start, too
    "start": {R4_0: Law(post_parse=1, domain=1, every_device=1, copy=1), R7_0: Law(copy=1)},
    "createXML": {R4_0: Law(post_parse=1, domain=2, every_device=2, copy=1), R7_0: _PARSE_AND_START},
    "attach": {
        R4_0: _CONFIG,
        R11_3: Law(post_parse=3, domain=1, device=1, every_device=1),
    },
    "detach": {R4_0: Law(post_parse=3)},
    "update": {R7_0: _CONFIG},
    "dumpxml": {R3_6: _NONE},
    "dumpxml-cpu": {R7_0: Law(post_parse=1, copy=1)},
    "xmlToNative": {R7_0: _PARSE_AND_START},
    "domcapabilities": {R7_0: Law(api=1)},
    "capabilities": {R7_0: Law(guest=1)},
    # a running domain hands in capabilities of its own
    "attach-live": {R9_0: _NONE},
    "attach-both": {R9_0: _NONE},
    "attach-config-running": {R9_0: _NONE},
    "detach-live": {R9_0: _NONE},
    "detach-both": {R9_0: _NONE},
    "detach-config-running": {R9_0: _NONE},
    "update-live": {R9_0: _NONE},
    "update-both": {R9_0: _NONE},
    "update-config-running": {R9_0: _NONE},
    "snapshot": {R9_0: _NONE},
    "managedsave": {R9_0: _NONE},
    "start-saved": {R9_0: Law(post_parse=1, copy=1)},
}
"""The law of each task from a release on; a task or release that is not there has none that is known.

The tasks with "live", "both" or "running" in their name, snapshot and managedsave are of a domain that runs,
"both" of the running and the persistent definition; start-saved is a start from a managed save.
"""

_ROLES: Final = {
    "qemuDomainPostParseDataAlloc": Role.POST_PARSE,
    "qemuValidateDomainDef": Role.DOMAIN,
    "qemuValidateDomainDeviceDef": Role.DEVICE,
    "virQEMUCapsCacheLookupCopy": Role.COPY,
    "virQEMUCapsCacheLookupDefault": Role.API,
    "virQEMUCapsInit": Role.API,
    "virQEMUCapsGetDefaultVersion": Role.API,
}
_POST_PARSE_UNNAMED: Final = "post-parse"
"""How the interposer names the place where post-parse's function is not exported, before 11.3."""


def role_of(site: str) -> Role | None:
    """The role of a site as the interposer names it; None for one that is not known."""
    if site.startswith(_POST_PARSE_UNNAMED):
        return Role.POST_PARSE
    return _ROLES.get(site)


def law(task: str, release: Release = DEFAULT) -> Law | None:
    """The closed form of `task` in `release`; None where none is known."""
    table = TABLE.get(task)
    if table is None or release < min(table):
        return None
    return since(table, release)


def lookups(task: str, answer: str | None, release: Release = DEFAULT) -> int | None:
    """How often `task` looks up by the law; None where there is no law, or it needs an answer.

    `answer` is what libvirt made of the domain (after the task), or for the task capabilities its answer.
    """
    counts = by_role(task, answer, release)
    return None if counts is None else sum(counts.values())


def by_role(task: str, answer: str | None, release: Release = DEFAULT) -> dict[Role, int] | None:
    """Likewise, by what asks; roles that do not ask are left out."""
    found = law(task, release)
    if found is None or (answer is None and found.needs_answer):
        return None
    if answer is None:
        return found.by_role()
    root = _root(answer)
    return found.by_role(_visits(root), len(root.findall("guest")))


def devices(xml: str) -> int:
    """D: the children of `<devices>` but the emulator, implicit and added ones included."""
    return _devices(_root(xml))


def _root(xml: str) -> _Element:
    from lxml import etree  # the closed forms need none

    return etree.fromstring(xml)


def _devices(domain: _Element) -> int:
    return sum(
        isinstance(child.tag, str) and child.tag != "emulator" for child in domain.iterfind("devices/*")
    )


def _visits(domain: _Element) -> int:
    """How many devices one validation of the domain asks for: D, but for two kinds."""
    # An interface that hands a host device through is validated once more as the host device it is; a filter
    # for redirected devices is no device.
    twice = len(domain.findall("devices/interface[@type='hostdev']"))
    never = len(domain.findall("devices/redirfilter"))
    return _devices(domain) + twice - never
