"""Post-parse: everything libvirt 9.0.0 does between reading a domain's XML and assigning addresses.

First what its parser fills in, then the callbacks: the domain's, each device's, and what follows from all.
What the parser refuses, `reading.checks.check_parsed` has refused before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qcaps.domainxml.devices import (
    KINDS,
    Controller,
    Graphics,
    Hostdev,
    Interface,
    Panic,
    Redirfilter,
    Serial,
    Video,
)
from qcaps.lookups.site import Site
from qcaps.rules import orders
from qcaps.rules.definition.completion import (
    boot,
    clock,
    consoles,
    controllers,
    cpu,
    features,
    implicit,
    memory,
    metadata,
    namespace,
    numa,
    order,
    parsing,
    vcpus,
)
from qcaps.rules.devices.controller.complete import complete as complete_controller
from qcaps.rules.devices.serial import complete as complete_serial
from qcaps.rules.devices.video.complete import mark_primary
from qcaps.rules.devices.video.complete import read as read_video
from qcaps.rules.refusal import Refused
from qcaps.rules.shared import common, ports
from qcaps.rules.shared.state import State

if TYPE_CHECKING:
    from qcaps.capabilities.model import Capabilities
    from qcaps.domainxml.devices import AnyDevice
    from qcaps.lookups.lookup import Lookup
    from qcaps.rules.draft import Draft

_READ: Final = {kind.device: kind.read for kind in orders.WRITTEN if kind.read is not None}
_COMPLETE: Final = {kind.device: kind.complete for kind in orders.VISITED if kind.complete is not None}
_VISITED: Final = tuple(kind.device for kind in orders.VISITED)


def post_parse(draft: Draft, lookup: Lookup) -> None:
    """Completes the domain and its devices in place, addresses excepted. Raises Refused.

    Follows: virDomainDefPostParse
    """
    caps = lookup.at(Site.POST_PARSE)
    _parse(draft, caps)
    controllers.assign_indexes(draft)
    _complete_domain(draft, caps)
    ports.number_isa_serials(draft)
    state = State(draft, caps)
    _complete_devices(state, lookup)
    state.caps = caps
    _complete_rest(state)


def post_parse_device(draft: Draft, device: AnyDevice, caps: Capabilities) -> AnyDevice:
    """The device as it is added to or taken from the domain in `draft`, complete. Raises Refused.

    Follows: virDomainDeviceDefPostParse
    """
    kind = type(device)
    parse, complete = _READ.get(kind), _COMPLETE.get(kind)
    device = common.as_parsed(device)
    if parse is not None:
        device = parse(draft.domain, device)
    return device if complete is None else complete(State(draft, caps), device)


def _parse(draft: Draft, caps: Capabilities) -> None:
    """What libvirt's parser does. The host's architecture is that of the capabilities.

    Follows: virDomainDefParseXML
    """
    parsing.parse_domain(draft, caps.arch)
    domain = draft.domain
    for kind in KINDS:
        devices = draft.of(kind)
        parse = _READ.get(kind)
        if parse is None:
            devices[:] = [common.as_parsed(one) for one in devices]
        else:
            devices[:] = [parse(domain, common.as_parsed(one)) for one in devices]
    draft.of(Redirfilter)[:] = [one for one in draft.of(Redirfilter) if one.usbdev]
    order.sort_devices(draft)
    ports.number_consoles(draft)
    ports.number_parallels(draft)
    controllers.need_for_scsi_hostdevs(draft)


def _complete_domain(draft: Draft, caps: Capabilities) -> None:
    """The domain's callback.

    Follows: qemuDomainDefPostParse
    """
    boot.set_machine(draft, caps)
    boot.set_nvram(draft)
    implicit.add_default_devices(draft, caps)
    boot.canonical_machine(draft, caps)
    cpu.set_default(draft, caps)
    features.complete(draft, caps)
    vcpus.check(draft)
    cpu.complete(draft, caps)
    numa.fill(draft)


def _complete_devices(state: State, lookup: Lookup) -> None:
    """The devices' callbacks, in libvirt's order; each may look up for itself.

    Follows: virDomainDefPostParseDeviceIterator
    """
    draft = state.draft
    for kind in _VISITED:
        if kind is Hostdev:
            for nic in draft.of(Interface):
                if nic.type == "hostdev":
                    lookup.at(Site.POST_PARSE_DEVICE, nic)
        devices = draft.of(kind)
        complete = _COMPLETE.get(kind)
        for position, device in enumerate(devices):
            state.caps = lookup.at(Site.POST_PARSE_DEVICE, device)
            if complete is not None:
                devices[position] = complete(state, device)


def _complete_rest(state: State) -> None:
    """What follows from all devices together.

    Follows: virDomainDefPostParseCommon
    """
    draft = state.draft
    vcpus.complete(draft)
    memory.complete(draft)
    boot.complete(draft)
    metadata.keep_one_each(draft)
    namespace.keep_what_is_read(draft)
    memory.complete_backing(draft)
    controllers.refuse_duplicates(draft)
    _refuse_two_panics(draft)
    boot.order(draft)
    clock.check(draft)
    consoles.add_twin(draft)
    controllers.need_for_devices(draft)
    if draft.of(Graphics) and not draft.of(Video):
        draft.of(Video).append(read_video(draft.domain, Video()))
    mark_primary(state)
    _complete_again(state)
    cpu.finish(draft)
    features.finish(draft)


def _complete_again(state: State) -> None:
    """Devices that came after the callbacks get theirs now.

    Follows: virDomainDefPostParseCommon
    """
    draft = state.draft
    serials = draft.of(Serial)
    if serials:
        serials[0] = complete_serial(state, serials[0])
        consoles.renew_twin(draft)
    all_controllers = draft.of(Controller)
    for position, one in enumerate(all_controllers):
        if one.type == "scsi" and one.model is None:
            all_controllers[position] = complete_controller(state, one)


# Follows: virDomainDefRejectDuplicatePanics
def _refuse_two_panics(draft: Draft) -> None:
    seen: set[str | None] = set()
    for panic in draft.of(Panic):
        if panic.model in seen:
            raise Refused(f"XML error: two panic devices of model '{panic.model}'", panic)
        seen.add(panic.model)
