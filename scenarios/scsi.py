"""SCSI disks: a controller for each seven."""

from collections.abc import Iterator
from random import Random

from ._parts import disk

SUMMARY = "n SCSI disks on virtio-scsi controllers"
LARGEST = {"q35": 1659, "pc": 1659}
STEPS = (1, 7, 16, 64, 256, 1024)


def devices(n: int, machine: str, random: Random) -> Iterator[str]:
    """Image files on SCSI; the controllers are virtio-scsi, the rest is left to be implied."""
    del machine, random
    for index in range(-(-n // 7)):
        yield f"<controller type='scsi' index='{index}' model='virtio-scsi'/>"
    yield from (disk(index, bus="scsi", prefix="sd") for index in range(n))
