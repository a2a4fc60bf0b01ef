"""Virtio-serial channels: a controller for each 30, no PCI slot of their own."""

from collections.abc import Iterator
from random import Random

from ._parts import channel

SUMMARY = "n virtio-serial channels"
LARGEST = {"q35": 7110, "pc": 7000}  # q35: 237 controllers of 30 ports, port 0 being for consoles
STEPS = (1, 4, 16, 64, 256, 1024)


def devices(n: int, machine: str, random: Random) -> Iterator[str]:
    """Guest agent channels."""
    del machine, random
    yield from (channel(index) for index in range(n))
