"""Small domains through what a define of libvirt 9.0 does before it saves, for the tests of validation."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import pytest

from qcaps.capabilities.snapshots import snapshot
from qcaps.domainxml import document
from qcaps.errors import QcapsError
from qcaps.lookups.lookup import Lookup
from qcaps.release import R9_0
from qcaps.rules.addresses.assign import assign_addresses
from qcaps.rules.definition.completion.post_parse import post_parse
from qcaps.rules.definition.validation.validate import PLAIN_HOST, HostFacts, check_parsed, validate
from qcaps.rules.draft import Draft

EMULATOR = "/usr/bin/qemu-system-{}"


class Rule(NamedTuple):
    """A template that is accepted with `good` in its place and refused with `bad`."""

    name: str
    template: str
    good: str
    bad: str
    why: str
    """What the refusal says, in part."""
    machine: str = "pc"
    head: str = ""
    """Elements beside `<devices>`."""
    vcpus: str = "<vcpu>2</vcpu>"
    arch: str = "x86_64"


def domain(
    devices: str = "",
    *,
    machine: str = "pc",
    head: str = "",
    vcpus: str = "<vcpu>2</vcpu>",
    arch: str = "x86_64",
) -> str:
    """The XML of a domain with these devices; `head` may bring an `<os>` of its own."""
    memory = "<memory>1048576</memory>"
    os = "" if "<os" in head else f"<os><type arch='{arch}' machine='{machine}'>hvm</type></os>"
    return (
        f"<domain type='qemu'><name>a</name>{memory}{vcpus}{os}{head}"
        f"<devices><emulator>{EMULATOR.format(arch)}</emulator>{devices}</devices></domain>"
    )


def define(xml: str, *, without: str = "", host: HostFacts = PLAIN_HOST, arch: str = "x86_64") -> Draft:
    """Reads, completes and validates `xml` on the recorded QEMU, less the flag `without`."""
    capabilities = snapshot(arch).capabilities
    capabilities = dataclasses.replace(capabilities, flags=capabilities.flags - {without})
    draft = Draft(document.parse(xml.encode(), "test.xml", strangers=False, release=R9_0), R9_0)
    check_parsed(draft)
    draft.emulator = EMULATOR.format(arch)
    lookup = Lookup.given(capabilities)
    post_parse(draft, lookup)
    assign_addresses(draft, capabilities)
    validate(draft, lookup, host=host)
    return draft


def both_ways(rule: Rule) -> None:
    """Asserts that the rule accepts the one and refuses the other, for its own reason."""
    options = {"machine": rule.machine, "vcpus": rule.vcpus, "arch": rule.arch}
    in_head = "{}" in rule.head
    for word in (rule.good, rule.bad):
        xml = domain(
            rule.template if in_head else rule.template.replace("{}", word),
            head=rule.head.replace("{}", word) if in_head else rule.head,
            **options,
        )
        if word is rule.good:
            define(xml, arch=rule.arch)
            continue
        with pytest.raises(QcapsError) as refused:
            define(xml, arch=rule.arch)
        assert rule.why in str(refused.value)
        assert "\n" not in str(refused.value)
