"""A server: half of its n devices are disks, the rest NICs, SCSI disks, channels, rngs and 9p shares."""

from collections.abc import Iterator
from random import Random

from ._parts import CONSOLE, DATA, RNG, VIDEO, VNC, channel, disk, nic

SUMMARY = "a server with n devices of seven kinds"
LARGEST = {"q35": 230, "pc": 213}


def devices(n: int, machine: str, random: Random) -> Iterator[str]:
    """The kinds in proportion, in an order drawn from the seed."""
    del machine
    yield CONSOLE
    yield VNC
    yield VIDEO
    if n:
        yield "<controller type='scsi' index='0' model='virtio-scsi'/>"
    kinds = [_KINDS[index % len(_KINDS)] for index in range(n)]
    random.shuffle(kinds)
    for index, kind in enumerate(kinds):
        yield kind(index)


def _share(index: int) -> str:
    return (
        "<filesystem type='mount' accessmode='mapped'>\n"
        f"  <source dir='{DATA}/share-{index}'/>\n"
        f"  <target dir='share{index}'/>\n"
        "</filesystem>"
    )


_KINDS = (
    disk,
    nic,
    disk,
    channel,
    disk,
    lambda index: disk(index, bus="scsi", prefix="sd"),
    disk,
    nic,
    disk,
    lambda _index: RNG,
    disk,
    _share,
)
