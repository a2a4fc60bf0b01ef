"""Virtio-serial channels: a controller for each 31, no PCI slot of their own."""

from collections.abc import Iterator
from random import Random

from ._parts import channel

SUMMARY = "n virtio-serial channels"
LARGEST = {"q35": 7347, "pc": 10000}  # q35: 237 controllers of 31 ports
STEPS = (1, 4, 16, 64, 256, 1024)


def devices(n: int, machine: str, random: Random) -> Iterator[str]:
    """Guest agent channels."""
    del machine, random
    yield from (channel(index) for index in range(n))
