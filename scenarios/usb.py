"""USB tablets: hubs come with them as the ports run out."""

from collections.abc import Iterator
from random import Random

from ._parts import TABLET

SUMMARY = "n USB tablets, with the hubs they need"
LARGEST = {"q35": 143, "pc": 127}


def devices(n: int, machine: str, random: Random) -> Iterator[str]:
    """Tablets on the default USB controller."""
    del machine, random
    yield from (TABLET for _ in range(n))
