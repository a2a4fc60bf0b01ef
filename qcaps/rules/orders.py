"""The orders in which libvirt 9.0.0 goes over the kinds of devices; each pass over devices names its own.

A kind stands in WRITTEN and in each order that its record has something for. Nothing else lists kinds: what
a pass calls for a kind comes from its record. QEMU's command line is the seventh order; it has parts that
belong to no kind, and is in `start/command_line.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcaps.domainxml.devices import Hostdev, Interface
from qcaps.rules.devices.audio import AUDIO
from qcaps.rules.devices.channel import CHANNEL
from qcaps.rules.devices.console import CONSOLE
from qcaps.rules.devices.controller import CONTROLLER
from qcaps.rules.devices.disk import DISK
from qcaps.rules.devices.filesystem import FILESYSTEM
from qcaps.rules.devices.graphics import GRAPHICS
from qcaps.rules.devices.hostdev import HOSTDEV
from qcaps.rules.devices.hub import HUB
from qcaps.rules.devices.input import INPUT
from qcaps.rules.devices.interface import INTERFACE
from qcaps.rules.devices.iommu import IOMMU
from qcaps.rules.devices.lease import LEASE
from qcaps.rules.devices.memballoon import MEMBALLOON
from qcaps.rules.devices.memory import MEMORY
from qcaps.rules.devices.nvram import NVRAM
from qcaps.rules.devices.panic import PANIC
from qcaps.rules.devices.parallel import PARALLEL
from qcaps.rules.devices.redirdev import REDIRDEV
from qcaps.rules.devices.redirfilter import REDIRFILTER
from qcaps.rules.devices.rng import RNG
from qcaps.rules.devices.serial import SERIAL
from qcaps.rules.devices.shmem import SHMEM
from qcaps.rules.devices.smartcard import SMARTCARD
from qcaps.rules.devices.sound import SOUND
from qcaps.rules.devices.tpm import TPM
from qcaps.rules.devices.video import VIDEO
from qcaps.rules.devices.vsock import VSOCK
from qcaps.rules.devices.watchdog import WATCHDOG

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qcaps.domainxml.devices import AnyDevice
    from qcaps.rules.draft import Draft
    from qcaps.rules.kind import AnyKind

WRITTEN: tuple[AnyKind, ...] = (
    DISK, CONTROLLER, LEASE, FILESYSTEM, INTERFACE, SMARTCARD, SERIAL, PARALLEL, CONSOLE, CHANNEL, INPUT,
    TPM, GRAPHICS, SOUND, AUDIO, VIDEO, HOSTDEV, REDIRDEV, REDIRFILTER, HUB, WATCHDOG, MEMBALLOON, RNG,
    NVRAM, PANIC, SHMEM, MEMORY, IOMMU, VSOCK,
)  # fmt: skip
"""Every kind, in the order of the XML that libvirt writes."""

VISITED: tuple[AnyKind, ...] = (
    DISK, INTERFACE, SOUND, HOSTDEV, VIDEO, CONTROLLER, SMARTCARD, SERIAL, PARALLEL, CHANNEL, CONSOLE,
    INPUT, FILESYSTEM, WATCHDOG, MEMBALLOON, RNG, NVRAM, HUB, SHMEM, TPM, PANIC, MEMORY, REDIRDEV, IOMMU,
    VSOCK, GRAPHICS, AUDIO, LEASE,
)  # fmt: skip
"""The order of the device callbacks, and so of the lookups. A redirfilter is never visited."""

ADDRESSED: tuple[AnyKind, ...] = VISITED[: VISITED.index(GRAPHICS)]
"""The kinds that may have an address: libvirt's walk over them is the one above, cut short."""

PCI: tuple[AnyKind, ...] = (
    FILESYSTEM, INTERFACE, SOUND, CONTROLLER, DISK, HOSTDEV, MEMBALLOON, RNG, WATCHDOG, VIDEO, SHMEM,
    INPUT, SERIAL, IOMMU, VSOCK, MEMORY, PANIC,
)  # fmt: skip
"""The order in which PCI slots are given out, PCI controllers before all."""

VIRTIO: tuple[AnyKind, ...] = (
    DISK, INTERFACE, VIDEO, INPUT, CONTROLLER, HOSTDEV, MEMBALLOON, RNG, MEMORY,
)  # fmt: skip
"""The order in which virtio devices take a bus that a machine has for them."""

VIRTIO_CCW: tuple[AnyKind, ...] = (*VIRTIO, FILESYSTEM, VSOCK)
"""The same on the channel subsystem, which has more kinds."""

NAMED: tuple[AnyKind, ...] = (
    DISK, INTERFACE, FILESYSTEM, HOSTDEV, RNG, SOUND, REDIRDEV, VIDEO, INPUT, PARALLEL, SERIAL, CHANNEL,
    CONSOLE, HUB, SHMEM, SMARTCARD, WATCHDOG, MEMBALLOON, TPM, VSOCK, IOMMU, CONTROLLER, MEMORY,
)  # fmt: skip
"""The order in which devices get their aliases. Interfaces come before host devices, which share a count."""


def visited(draft: Draft) -> Iterator[AnyDevice]:
    """Every device in the order of libvirt's device callbacks.

    An interface of type hostdev is a hostdev too, before all others: visited twice.

    Follows: virDomainDeviceInfoIterateFlags
    """
    for kind in VISITED:
        if kind.device is Hostdev:
            yield from (nic for nic in draft.of(Interface) if nic.type == "hostdev")
        yield from draft.of(kind.device)
