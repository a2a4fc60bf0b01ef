"""Post-parse: everything libvirt 9.0.0 does between reading a domain's XML and assigning addresses.

First what its parser fills in, then the callbacks: the domain's, each device's, and what follows from all.
What the parser refuses, `validate.check_parsed` has refused before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qcaps.domain.devices import (
    KINDS,
    Channel,
    Console,
    Controller,
    Disk,
    Filesystem,
    Graphics,
    Hostdev,
    Input,
    Interface,
    Iommu,
    Memballoon,
    Memory,
    Panic,
    Parallel,
    Redirdev,
    Redirfilter,
    Rng,
    Serial,
    Shmem,
    Smartcard,
    Sound,
    Tpm,
    Video,
    Vsock,
    Watchdog,
)
from qcaps.lookups.site import Site
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
    numa,
    order,
    parsing,
    vcpus,
)
from qcaps.rules.devices.completion import (
    characters,
    common,
    disks,
    graphics,
    hostdevs,
    interfaces,
    small,
    storage,
    videos,
)
from qcaps.rules.draft import VISITED
from qcaps.rules.refusal import Refused
from qcaps.rules.shared.state import State

if TYPE_CHECKING:
    from collections.abc import Callable

    from qcaps.capabilities.model import Capabilities
    from qcaps.domain.device import Device
    from qcaps.domain.devices import AnyDevice
    from qcaps.domain.domain import Domain
    from qcaps.lookups.lookup import Lookup
    from qcaps.rules.draft import Draft

_PARSED: Final[dict[type[Device], Callable[[Domain, Any], Any]]] = {
    Disk: disks.parsed,
    Controller: controllers.parsed,
    Filesystem: storage.parsed_filesystem,
    Interface: interfaces.parsed,
    Smartcard: small.parsed_smartcard,
    Serial: characters.parsed,
    Parallel: characters.parsed,
    Console: characters.parsed,
    Channel: characters.parsed,
    Input: small.parsed_input,
    Tpm: small.parsed_tpm,
    Graphics: graphics.parsed,
    Iommu: small.parsed_iommu,
    Sound: small.parsed_sound,
    Video: videos.parsed,
    Hostdev: hostdevs.parsed,
    Redirdev: small.parsed_redirdev,
    Redirfilter: small.parsed_redirfilter,
    Watchdog: small.parsed_watchdog,
    Memballoon: small.parsed_memballoon,
    Rng: small.parsed_rng,
    Shmem: storage.parsed_shmem,
    Memory: storage.parsed_memory,
}
"""What the parser fills in, by kind; other kinds are taken as they stand."""

_COMPLETE: Final[dict[type[Device], Callable[[State, Any], Any]]] = {
    Disk: disks.complete,
    Controller: controllers.complete,
    Filesystem: storage.complete_filesystem,
    Interface: interfaces.complete,
    Serial: characters.complete_serial,
    Parallel: characters.complete_parallel,
    Console: characters.complete_console,
    Channel: characters.complete_channel,
    Tpm: small.complete_tpm,
    Video: videos.complete,
    Hostdev: hostdevs.complete,
    Rng: small.complete_rng,
    Panic: small.complete_panic,
    Shmem: storage.complete_shmem,
    Memory: storage.complete_memory,
    Vsock: small.complete_vsock,
}
"""What the device callbacks do, by kind; they are called for the others too, and do nothing."""


def post_parse(draft: Draft, lookup: Lookup) -> None:
    """Completes the domain and its devices in place, addresses excepted. Raises Refused."""
    caps = lookup.at(Site.POST_PARSE)
    _parse(draft, caps)
    controllers.assign_indexes(draft)
    _complete_domain(draft, caps)
    characters.number_isa_serials(draft)
    state = State(draft, caps)
    _complete_devices(state, lookup)
    state.caps = caps
    _complete_rest(state)


def post_parse_device(draft: Draft, device: AnyDevice, caps: Capabilities) -> AnyDevice:
    """The device as it is added to or taken from the domain in `draft`, complete. Raises Refused."""
    kind = type(device)
    parse, complete = _PARSED.get(kind), _COMPLETE.get(kind)
    device = common.as_parsed(device)
    if parse is not None:
        device = parse(draft.domain, device)
    return device if complete is None else complete(State(draft, caps), device)


def _parse(draft: Draft, caps: Capabilities) -> None:
    """What libvirt's parser does. The host's architecture is that of the capabilities."""
    parsing.parse_domain(draft, caps.arch)
    domain = draft.domain
    for kind in KINDS:
        devices = draft.of(kind)
        parse = _PARSED.get(kind)
        if parse is None:
            devices[:] = [common.as_parsed(one) for one in devices]
        else:
            devices[:] = [parse(domain, common.as_parsed(one)) for one in devices]
    draft.of(Redirfilter)[:] = [one for one in draft.of(Redirfilter) if one.usbdev]
    order.sort_devices(draft)
    characters.number_consoles(draft)
    characters.number_parallels(draft)
    controllers.need_for_scsi_hostdevs(draft)


def _complete_domain(draft: Draft, caps: Capabilities) -> None:
    """The domain's callback."""
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
    """The devices' callbacks, in libvirt's order; each may look up for itself."""
    draft = state.draft
    for kind in VISITED:
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
    """What follows from all devices together."""
    draft = state.draft
    vcpus.complete(draft)
    memory.complete(draft)
    boot.complete(draft)
    metadata.keep_one_each(draft)
    memory.complete_backing(draft)
    controllers.refuse_duplicates(draft)
    _refuse_two_panics(draft)
    boot.order(draft)
    clock.check(draft)
    consoles.add_twin(draft)
    controllers.need_for_devices(draft)
    if draft.of(Graphics) and not draft.of(Video):
        draft.of(Video).append(videos.parsed(draft.domain, Video()))
    videos.mark_primary(state)
    _complete_again(state)
    cpu.finish(draft)
    features.finish(draft)


def _complete_again(state: State) -> None:
    """Devices that came after the callbacks get theirs now."""
    draft = state.draft
    serials = draft.of(Serial)
    if serials:
        serials[0] = characters.complete_serial(state, serials[0])
        consoles.renew_twin(draft)
    all_controllers = draft.of(Controller)
    for position, one in enumerate(all_controllers):
        if one.type == "scsi" and one.model is None:
            all_controllers[position] = controllers.complete(state, one)


def _refuse_two_panics(draft: Draft) -> None:
    seen: set[str | None] = set()
    for panic in draft.of(Panic):
        if panic.model in seen:
            raise Refused(f"XML error: two panic devices of model '{panic.model}'", panic)
        seen.add(panic.model)
