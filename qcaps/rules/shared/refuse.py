"""The kinds of refusal, named as libvirt names its errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcaps.rules.refusal import Refused

if TYPE_CHECKING:
    from qcaps.capabilities.model import Capabilities
    from qcaps.domainxml.codec import Element
    from qcaps.rules.shared.guest import Guest


def unsupported(why: str, element: Element | None = None) -> Refused:
    """What this QEMU, this machine or this kind of guest cannot do."""
    return Refused(f"unsupported configuration: {why}", element)


def malformed(why: str, element: Element | None = None) -> Refused:
    """What contradicts itself, or refers to what is not there."""
    return Refused(f"XML error: {why}", element)


def internal(why: str, element: Element | None = None) -> Refused:
    """What libvirt, for reasons of its history, calls an internal error."""
    return Refused(f"internal error: {why}", element)


def need(caps: Capabilities, flag: str, what: str, element: Element | None = None) -> None:
    """Refuses `what` unless the QEMU has `flag`."""
    if flag not in caps.flags:
        raise unsupported(
            f"{what} is not supported by this QEMU, {caps.release} ({flag} is missing)", element
        )


def need_shared_memory(guest: Guest, caps: Capabilities, what: str, element: Element) -> None:
    """Refuses `what`, which another process serves, unless all of the guest's memory is shared.

    Follows: qemuValidateDomainDefVhostUserRequireSharedMemory
    """
    machine = guest.machine_in(caps)
    if guest.cells:
        shared = all(
            cell.mem_access == "shared" or (cell.mem_access is None and guest.memory_shared)
            for cell in guest.cells
        )
    else:
        shared = guest.memory_shared and machine is not None and bool(machine.default_ram_id)
    if not shared:
        raise unsupported(f"{what} needs shared memory: <access mode='shared'/>", element)
