"""Disk names such as vdab and the numbers behind them."""

from __future__ import annotations

from functools import lru_cache

_PREFIXES = ("fd", "hd", "vd", "sd", "xvd", "ubd")


@lru_cache(maxsize=4096)
def disk_number(name: str) -> int:
    """0 for vda, 26 for vdaa, whatever the prefix and the partition; -1 for a name of another shape.

    Follows: virDiskNameToIndex
    """
    prefix = next((one for one in _PREFIXES if name.startswith(one)), None)
    if prefix is None:
        return -1
    letters = name[len(prefix) :].rstrip("0123456789")
    number = 0
    for letter in letters:
        if not "a" <= letter <= "z":
            return -1
        number = number * 26 + ord(letter) - ord("a") + 1
    return number - 1
