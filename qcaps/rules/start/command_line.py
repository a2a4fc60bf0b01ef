"""The command line of QEMU that libvirt 9.0.0 builds for a domain.

The same options in the same order, but for what only libvirt's daemon can give: its monitor socket, the
sandbox, file descriptors it opens, secrets it keeps, processes it starts beside QEMU. Nothing of the host is
opened or looked up, as in libvirt's own `domxml-to-native`. Where libvirt's builder refuses, this does; but
what only the host could say (where a USB device is plugged in, the path of a volume) is made up, and told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qcaps.domainxml.namespace import qemu_arguments
from qcaps.rules.devices.audio import backends as audio_backends
from qcaps.rules.devices.channel import channels
from qcaps.rules.devices.console import consoles
from qcaps.rules.devices.controller.arguments import controllers, smartcard_readers
from qcaps.rules.devices.disk.arguments import disks, reservation_helper
from qcaps.rules.devices.filesystem import filesystems
from qcaps.rules.devices.graphics.arguments import graphics, no_display
from qcaps.rules.devices.hostdev.arguments import hostdevs
from qcaps.rules.devices.hub import hubs
from qcaps.rules.devices.input import inputs
from qcaps.rules.devices.interface.arguments import interfaces
from qcaps.rules.devices.iommu import iommus
from qcaps.rules.devices.memballoon import balloons
from qcaps.rules.devices.memory.arguments import modules
from qcaps.rules.devices.nvram import nvram
from qcaps.rules.devices.panic import panics
from qcaps.rules.devices.parallel import parallels
from qcaps.rules.devices.redirdev import redirected
from qcaps.rules.devices.rng import entropy
from qcaps.rules.devices.serial import serials
from qcaps.rules.devices.shmem import shared_memory
from qcaps.rules.devices.smartcard import smartcards
from qcaps.rules.devices.sound import cards as sound_cards
from qcaps.rules.devices.tpm import tpms
from qcaps.rules.devices.video.arguments import cards as video_cards
from qcaps.rules.devices.vsock import sockets
from qcaps.rules.devices.watchdog import watchdogs
from qcaps.rules.refusal import Refused
from qcaps.rules.start import cpu, custom, firmware, machine, memory, numa, platform
from qcaps.rules.start.aliases import aliases
from qcaps.rules.start.launch import Launch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from qcaps.capabilities.model import Capabilities
    from qcaps.rules.draft import Draft


def _paused(_launch: Launch) -> Iterator[str]:
    yield "-S"


def _nothing_by_default(_launch: Launch) -> Iterator[str]:
    yield from ("-no-user-config", "-nodefaults")


def _users_own(launch: Launch) -> Iterable[str]:
    return qemu_arguments(launch.domain)


def _timestamps(_launch: Launch) -> Iterator[str]:
    yield from ("-msg", "timestamp=on")


_PARTS: Final[tuple[Callable[[Launch], Iterable[str]], ...]] = (
    platform.name, custom.deprecated, _paused, reservation_helper, firmware.flash, machine.machine,
    machine.accelerator, machine.top_segment, cpu.cpu, firmware.loader, memory.memory, cpu.smp,
    cpu.threads, numa.nodes, platform.uuid, firmware.smbios, firmware.settings, platform.generation,
    no_display, _nothing_by_default, platform.clock, platform.power, firmware.boot, iommus,
    platform.pci_hole, controllers, modules, hubs, smartcard_readers, disks, filesystems, interfaces,
    smartcards, serials, parallels, channels, consoles, tpms, inputs, audio_backends, graphics,
    video_cards, sound_cards, watchdogs, redirected, hostdevs, balloons, entropy, nvram,
    platform.core_info, platform.secure_launch, _users_own, panics, shared_memory, sockets, _timestamps,
)  # fmt: skip
"""libvirt's order: a bus before what sits on it, a backend before the device that uses it."""


def command_line(draft: Draft, capabilities: Capabilities) -> tuple[str, ...]:
    """The emulator and its arguments for a domain that has all its devices and addresses. Raises Refused."""
    return command_line_and_assumed(draft, capabilities)[0]


def command_line_and_assumed(
    draft: Draft, capabilities: Capabilities
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Likewise, and what was made up since only a host could say it, a line each. Raises Refused.

    Follows: qemuBuildCommandLine, qemuBuildCommandLineValidate
    """
    launch = Launch(draft, capabilities, aliases(draft))
    if draft.domain.virt_type == "xen" or (
        draft.domain.os.type and draft.domain.os.type.value in ("xen", "linux")
    ):
        raise Refused(f"{launch.emulator} does not run Xen guests", draft.domain.os.type)
    command = (launch.emulator, *(argument for part in _PARTS for argument in part(launch)))
    return command, tuple(dict.fromkeys(launch.assumed))
