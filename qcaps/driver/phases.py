"""The phases that tasks are made of, in the order libvirt runs them. `phase(name)` is entered around each."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

from qcaps.domainxml import document
from qcaps.lookups.lookup import Adapted, Lookup
from qcaps.lookups.site import Site
from qcaps.rules.addresses.assign import assign_addresses
from qcaps.rules.definition.completion.post_parse import post_parse, post_parse_device
from qcaps.rules.definition.validation.validate import check_parsed_device, validate
from qcaps.rules.draft import Draft
from qcaps.rules.start.command_line import command_line_and_assumed
from qcaps.rules.start.custom import custom_flags

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from qcaps.capabilities.model import Capabilities
    from qcaps.domainxml.devices import AnyDevice
    from qcaps.domainxml.domain import Domain
    from qcaps.lookups.lookup import Asked
    from qcaps.release import Release
    from qcaps.rules.shared.host_facts import HostFacts

    Phase = Callable[[str], AbstractContextManager[object]]

_UNTIMED = nullcontext()


def untimed(_name: str) -> AbstractContextManager[object]:
    """The phase of a driver that nobody times."""
    return _UNTIMED


def complete(draft: Draft, lookup: Lookup, phase: Phase, facts: HostFacts) -> None:
    """Everything libvirt does to a definition between reading it and believing it. Raises Refused."""
    with lookup.one_pass():
        with phase("post-parse"):
            post_parse(draft, lookup)
        with phase("assign addresses"):
            assign_addresses(draft, lookup.at(Site.ADDRESSES))
    checked(draft, lookup, phase, facts)


def checked(draft: Draft, lookup: Lookup, phase: Phase, facts: HostFacts) -> None:
    """The validation of the whole definition. Raises Refused."""
    with phase("validate"), lookup.one_pass():
        lookup.prepare(Site.VALIDATE_PREPARE)
        validate(draft, lookup, host=facts)


def complete_again(draft: Draft, capabilities: Capabilities, phase: Phase) -> None:
    """The same without validation, on capabilities at hand: after a device came or went."""
    with phase("post-parse"):
        post_parse(draft, Lookup.given(capabilities))
    with phase("assign addresses"):
        assign_addresses(draft, capabilities)


def written(draft: Draft, phase: Phase) -> tuple[Domain, str]:
    """The domain as it is now, and its XML."""
    with phase("format"):
        domain = draft.freeze()
        return domain, document.format(domain)


def started(
    draft: Draft, lookup: Lookup, persistent: Domain | None, phase: Phase, facts: HostFacts
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The start of a process: validation again, a copy of what is persistent, QEMU's command line.

    Returns the command line, and what was made up in it.
    """
    with lookup.one_pass():
        capabilities = lookup.at(Site.PROCESS_INIT)
        asked: Asked = lookup
        if (custom := custom_flags(draft.domain)) is not None:
            asked, capabilities = Adapted(lookup, custom), custom(capabilities)
        with phase("validate"):
            validate(draft, asked, Site.START_VALIDATE, Site.START_VALIDATE_DEVICE, facts)
        if persistent is not None:
            copied(persistent, asked.at(Site.TRANSIENT_COPY), phase, draft.release)
    with phase("command line"):
        return command_line_and_assumed(draft, capabilities)


def copied(domain: Domain, capabilities: Capabilities, phase: Phase, release: Release) -> Draft:
    """A copy made the way libvirt makes one: written as XML, read back, post-parsed."""
    with phase("copy"):
        again = document.parse(document.format(domain).encode(), domain.name, release=release)
        draft = Draft(again, release)
        complete_again(draft, capabilities, untimed)
        return draft


def device_read(
    draft: Draft, xml: bytes, source: str, lookup: Lookup, phase: Phase
) -> tuple[AnyDevice, Capabilities]:
    """A device in hand for the domain in `draft`, complete, with the capabilities it was completed by."""
    with phase("parse"):
        device = document.parse_device(xml, source, release=draft.release)
        check_parsed_device(device)
    capabilities = lookup.at(Site.DEVICE_PARSE, device)
    with phase("post-parse"):
        return post_parse_device(draft, device, capabilities), capabilities
