"""ISA serial ports: the cheapest device there is, so lookups are nearly all of its cost."""

from collections.abc import Iterator
from random import Random

SUMMARY = "n ISA serial ports (QEMU starts with 4 at most)"
LARGEST = {"q35": 10000, "pc": 10000}
STEPS = (1, 4, 16, 64, 256, 1024)


def devices(n: int, machine: str, random: Random) -> Iterator[str]:
    """Serial ports on ptys."""
    del machine, random
    for port in range(n):
        yield f"<serial type='pty'>\n  <target port='{port}'/>\n</serial>"
