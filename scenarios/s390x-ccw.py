"""An s390x guest: virtio devices on channel subsystem addresses, by the hundred."""

from collections.abc import Iterator
from random import Random

from ._parts import disk, nic

SUMMARY = "n virtio devices on s390x CCW addresses, three disks to a NIC"
ARCH = "s390x"
LARGEST = {"s390-ccw-virtio": 10000}
STEPS = (1, 4, 16, 64, 256, 1024)


def devices(n: int, machine: str, random: Random) -> Iterator[str]:
    """Disks and NICs; every one takes the next free device number."""
    del machine, random
    for index in range(n):
        yield disk(index) if index % 4 else nic(index)
