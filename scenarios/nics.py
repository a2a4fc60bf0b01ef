"""Virtio NICs: like disks, a root port each on q35."""

from collections.abc import Iterator
from random import Random

from ._parts import nic

SUMMARY = "n virtio NICs"
LARGEST = {"q35": 237, "pc": 478}


def devices(n: int, machine: str, random: Random) -> Iterator[str]:
    """User-mode NICs with fixed MACs."""
    del machine, random
    yield from (nic(index) for index in range(n))
