"""Random devices of random models, the same for the same seed: for finding what no other scenario meets."""

from collections.abc import Iterator
from random import Random

from ._parts import RNG, channel, disk, nic

SUMMARY = "n random devices of random models"
LARGEST = {"q35": 100, "pc": 78}


def devices(n: int, machine: str, random: Random) -> Iterator[str]:
    """Kinds that any number of may be had on either machine type."""
    del machine
    for index in range(n):
        yield random.choice(_CHOICES)(index, random)


def _nic(index: int, random: Random) -> str:
    return nic(index, model=random.choice(("virtio", "e1000", "rtl8139")))


def _disk(index: int, random: Random) -> str:
    bus, prefix = random.choice((("virtio", "vd"), ("usb", "sd"), ("scsi", "sd")))
    return disk(index, bus=bus, prefix=prefix)


def _channel(index: int, _random: Random) -> str:
    return channel(index)


def _rng(_index: int, _random: Random) -> str:
    return RNG


def _input(_index: int, random: Random) -> str:
    return f"<input type='{random.choice(('tablet', 'mouse', 'keyboard'))}' bus='virtio'/>"


def _serial(index: int, random: Random) -> str:
    return f"<serial type='{random.choice(('pty', 'null'))}'>\n  <target port='{index}'/>\n</serial>"


_CHOICES = (_nic, _disk, _channel, _rng, _input, _serial)
