"""Virtio disks: on q35 each brings a root port, so a disk costs two lookups."""

from collections.abc import Iterator
from random import Random

from ._parts import disk

SUMMARY = "n virtio disks"
LARGEST = {"q35": 237, "pc": 478}


def devices(n: int, machine: str, random: Random) -> Iterator[str]:
    """Image files, named vda, vdb, …"""
    del machine, random
    yield from (disk(index) for index in range(n))
