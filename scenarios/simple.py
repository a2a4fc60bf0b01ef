"""The guest that virt-install makes, with n virtio disks: n = 1 is the plain one."""

from collections.abc import Iterator
from random import Random

from ._parts import CONSOLE, RNG, TABLET, VIDEO, VNC, cdrom, channel, disk, nic

SUMMARY = "virt-install's typical guest, with n disks"
LARGEST = {"pc": 203, "q35": 225}
STEPS = (1,)


def devices(n: int, machine: str, random: Random) -> Iterator[str]:
    """Disks, an empty CD drive, a NIC, console, agent channel, tablet, VNC, sound, video, balloon, rng."""
    del random
    yield from (disk(index) for index in range(n))
    yield cdrom("hda", "ide") if machine == "pc" else cdrom("sda", "sata")
    yield nic(0)
    yield CONSOLE
    yield channel(0)
    yield TABLET
    yield VNC
    yield "<sound model='ich6'/>"
    yield VIDEO
    yield "<memballoon model='virtio'/>"
    yield RNG
