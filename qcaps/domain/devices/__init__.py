"""Every kind of device that libvirt 9.0.0 knows, a module each."""

from __future__ import annotations

from typing import Annotated, ClassVar, get_args

from qcaps.domain.codec import CHILD, Element
from qcaps.domain.device import Device
from qcaps.domain.devices.audio import Audio
from qcaps.domain.devices.channel import Channel
from qcaps.domain.devices.console import Console
from qcaps.domain.devices.controller import Controller
from qcaps.domain.devices.disk import Disk
from qcaps.domain.devices.filesystem import Filesystem
from qcaps.domain.devices.graphics import Graphics
from qcaps.domain.devices.hostdev import Hostdev
from qcaps.domain.devices.hub import Hub
from qcaps.domain.devices.input import Input
from qcaps.domain.devices.interface import Interface
from qcaps.domain.devices.iommu import Iommu
from qcaps.domain.devices.lease import Lease
from qcaps.domain.devices.memballoon import Memballoon
from qcaps.domain.devices.memory import Memory
from qcaps.domain.devices.nvram import Nvram
from qcaps.domain.devices.panic import Panic
from qcaps.domain.devices.parallel import Parallel
from qcaps.domain.devices.redirdev import Redirdev
from qcaps.domain.devices.redirfilter import Redirfilter
from qcaps.domain.devices.rng import Rng
from qcaps.domain.devices.serial import Serial
from qcaps.domain.devices.shmem import Shmem
from qcaps.domain.devices.smartcard import Smartcard
from qcaps.domain.devices.sound import Sound
from qcaps.domain.devices.tpm import Tpm
from qcaps.domain.devices.video import Video
from qcaps.domain.devices.vsock import Vsock
from qcaps.domain.devices.watchdog import Watchdog

AnyDevice = (
    Disk
    | Controller
    | Lease
    | Filesystem
    | Interface
    | Smartcard
    | Serial
    | Parallel
    | Console
    | Channel
    | Input
    | Tpm
    | Graphics
    | Sound
    | Audio
    | Video
    | Hostdev
    | Redirdev
    | Redirfilter
    | Hub
    | Watchdog
    | Memballoon
    | Rng
    | Nvram
    | Panic
    | Shmem
    | Memory
    | Iommu
    | Vsock
)

KINDS: tuple[type[Device], ...] = get_args(AnyDevice)
"""The kinds in the order in which libvirt writes them: that of the union above."""


class Devices(Element):
    """`<devices>`: the emulator and the devices in the order of the file."""

    TAG: ClassVar[str] = "devices"
    MERGED: ClassVar[bool] = True
    emulator: Annotated[str, CHILD] | None = None
    all: tuple[AnyDevice, ...] = ()


__all__ = [
    "KINDS",
    "AnyDevice",
    "Audio",
    "Channel",
    "Console",
    "Controller",
    "Devices",
    "Disk",
    "Filesystem",
    "Graphics",
    "Hostdev",
    "Hub",
    "Input",
    "Interface",
    "Iommu",
    "Lease",
    "Memballoon",
    "Memory",
    "Nvram",
    "Panic",
    "Parallel",
    "Redirdev",
    "Redirfilter",
    "Rng",
    "Serial",
    "Shmem",
    "Smartcard",
    "Sound",
    "Tpm",
    "Video",
    "Vsock",
    "Watchdog",
]
