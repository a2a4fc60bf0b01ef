"""Small domains through post-parse by the rules of libvirt 9.0, for its tests."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from qcaps.capabilities.snapshots import snapshot
from qcaps.domainxml.codec import write
from qcaps.domainxml.document import parse
from qcaps.lookups.lookup import Lookup
from qcaps.release import R9_0
from qcaps.rules.definition.completion.post_parse import post_parse
from qcaps.rules.draft import Draft

if TYPE_CHECKING:
    from qcaps.domainxml.codec import Element
    from qcaps.domainxml.device import Device

ARCHES = {"pc": "x86_64", "q35": "x86_64", "isapc": "x86_64", "microvm": "x86_64", "pseries": "ppc64"} | {
    "virt": "aarch64",
    "s390-ccw-virtio": "s390x",
}


def draft_of(
    devices: str = "", machine: str = "pc", head: str = "", os: str = "", kind: str = "qemu"
) -> Draft:
    memory = "" if "<memory" in head else "<memory>65536</memory>"
    return Draft(
        parse(
            f"<domain type='{kind}'><name>t</name>{memory}{head}"
            f"<os><type arch='{ARCHES[machine]}' machine='{machine}'>hvm</type>{os}</os>"
            f"<devices>\n{devices}\n</devices></domain>".encode(),
            strangers=False,
            release=R9_0,
        ),
        R9_0,
    )


def completed(
    devices: str = "", machine: str = "pc", head: str = "", os: str = "", kind: str = "qemu"
) -> Draft:
    draft = draft_of(devices, machine, head, os, kind)
    post_parse(draft, Lookup.given(snapshot(ARCHES[machine]).capabilities))
    return draft


def one_line(element: Element | None) -> str:
    assert element is not None
    return re.sub(r"\n\s*", "", write(element)).strip()


def shown(draft: Draft, kind: type[Device]) -> list[str]:
    return [one_line(device) for device in draft.of(kind)]


def only(devices: str, kind: type[Device], machine: str = "pc", head: str = "") -> str:
    (found,) = shown(completed(devices, machine, head), kind)
    return found


def everything(draft: Draft) -> list[str]:
    return [one_line(device) for device in draft.devices()]
