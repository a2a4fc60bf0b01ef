"""Every kind of device that libvirt 9.0.0 knows, a module each."""

from __future__ import annotations

from typing import Annotated, ClassVar, get_args

from qcaps.domainxml.codec import CHILD, Element
from qcaps.domainxml.device import Device
from qcaps.domainxml.devices.audio import Audio
from qcaps.domainxml.devices.channel import Channel
from qcaps.domainxml.devices.console import Console
from qcaps.domainxml.devices.controller import Controller
from qcaps.domainxml.devices.disk import Disk
from qcaps.domainxml.devices.filesystem import Filesystem
from qcaps.domainxml.devices.graphics import Graphics
from qcaps.domainxml.devices.hostdev import Hostdev
from qcaps.domainxml.devices.hub import Hub
from qcaps.domainxml.devices.input import Input
from qcaps.domainxml.devices.interface import Interface
from qcaps.domainxml.devices.iommu import Iommu
from qcaps.domainxml.devices.lease import Lease
from qcaps.domainxml.devices.memballoon import Memballoon
from qcaps.domainxml.devices.memory import Memory
from qcaps.domainxml.devices.nvram import Nvram
from qcaps.domainxml.devices.panic import Panic
from qcaps.domainxml.devices.parallel import Parallel
from qcaps.domainxml.devices.redirdev import Redirdev
from qcaps.domainxml.devices.redirfilter import Redirfilter
from qcaps.domainxml.devices.rng import Rng
from qcaps.domainxml.devices.serial import Serial
from qcaps.domainxml.devices.shmem import Shmem
from qcaps.domainxml.devices.smartcard import Smartcard
from qcaps.domainxml.devices.sound import Sound
from qcaps.domainxml.devices.tpm import Tpm
from qcaps.domainxml.devices.video import Video
from qcaps.domainxml.devices.vsock import Vsock
from qcaps.domainxml.devices.watchdog import Watchdog

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
