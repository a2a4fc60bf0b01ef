"""The command line of QEMU that libvirt 9.0.0 builds for a domain.

The same options in the same order, but for what only libvirt's daemon can give: its monitor socket, the
sandbox, file descriptors it opens, secrets it keeps, processes it starts beside QEMU. Nothing of the host is
opened or looked up, as in libvirt's own `domxml-to-native`. Where libvirt's builder refuses, this does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qcaps.domain.namespace import qemu_arguments
from qcaps.rules.devices.arguments import (
    chardev,
    controller,
    disk,
    graphics,
    hostdev,
    human,
    misc,
    network,
    sound,
    video,
)
from qcaps.rules.refusal import Refused
from qcaps.rules.start import cpu, firmware, machine, memory, numa, platform
from qcaps.rules.start.guest import Guest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from qcaps.capabilities.model import Capabilities
    from qcaps.rules.draft import Draft


def _paused(_guest: Guest) -> Iterator[str]:
    yield "-S"


def _nothing_by_default(_guest: Guest) -> Iterator[str]:
    yield from ("-no-user-config", "-nodefaults")


def _users_own(guest: Guest) -> Iterable[str]:
    return qemu_arguments(guest.domain)


def _timestamps(_guest: Guest) -> Iterator[str]:
    yield from ("-msg", "timestamp=on")


_PARTS: Final[tuple[Callable[[Guest], Iterable[str]], ...]] = (
    platform.name, _paused, disk.reservation_helper, firmware.flash, machine.machine, machine.accelerator,
    machine.top_segment, cpu.cpu, firmware.loader, memory.memory, cpu.smp, cpu.threads, numa.nodes,
    platform.uuid, firmware.smbios, firmware.settings, platform.generation, graphics.no_display,
    _nothing_by_default, platform.clock, platform.power, firmware.boot, misc.iommus, platform.pci_hole,
    controller.controllers, memory.modules, human.hubs, controller.smartcard_readers, disk.disks,
    misc.filesystems, network.interfaces, human.smartcards, chardev.serials, chardev.parallels,
    chardev.channels, chardev.consoles, misc.tpms, human.inputs, sound.backends, graphics.graphics,
    video.cards, sound.cards, misc.watchdogs, human.redirected, hostdev.hostdevs, misc.balloons, misc.entropy,
    platform.nvram, platform.core_info, platform.secure_launch, _users_own, misc.panics, misc.shared_memory,
    misc.sockets, _timestamps,
)  # fmt: skip
"""libvirt's order: a bus before what sits on it, a backend before the device that uses it."""


def command_line(draft: Draft, capabilities: Capabilities) -> tuple[str, ...]:
    """The emulator and its arguments for a domain that has all its devices and addresses. Raises Refused."""
    guest = Guest(draft, capabilities)
    if draft.domain.virt_type == "xen" or (
        draft.domain.os.type and draft.domain.os.type.value in ("xen", "linux")
    ):
        raise Refused(f"{guest.emulator} does not run Xen guests", draft.domain.os.type)
    return (guest.emulator, *(argument for part in _PARTS for argument in part(guest)))
