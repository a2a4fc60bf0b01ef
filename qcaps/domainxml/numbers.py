"""Numbers that libvirt takes in any base, and the ones it spells in hexadecimal or octal."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated

from qcaps.domainxml.codec import Hex, Read, Show

_ANY_BASE = re.compile(r"\s*([+-]?)(?:0[xX]([0-9a-fA-F]{1,16})|(0[0-7]*)|([1-9][0-9]{0,19}))", re.ASCII)
_BASE_16 = re.compile(r"\s*\+?(?:0[xX])?([0-9a-fA-F]{1,16})", re.ASCII)
_OCTAL = re.compile(r"\s*\+?([0-7]{1,11})", re.ASCII)


def any_base(text: str, lowest: int = 0, highest: int = 2**32 - 1) -> int:
    """The number in `text` as C's strtol takes it in base 0: 0x1f, 037 or 31. Raises ValueError."""
    if not (match := _ANY_BASE.fullmatch(text)):
        raise ValueError(f"'{text[:40]}' is not a whole number")
    sign, hexadecimal, octal, decimal = match.groups()
    value = int(hexadecimal, 16) if hexadecimal else int(octal, 8) if octal else int(decimal)
    if sign == "-":
        value = -value
    if not lowest <= value <= highest:
        raise ValueError(f"{value} is not between {lowest} and {highest}")
    return value


def _between(lowest: int, highest: int) -> Callable[[str], int]:
    return lambda text: any_base(text, lowest, highest)


def _base_16(highest: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not (match := _BASE_16.fullmatch(text)) or (value := int(match[1], 16)) > highest:
            raise ValueError(f"'{text[:40]}' is not a hexadecimal number up to {highest:#x}")
        return value

    return parse


def _octal(text: str) -> int:
    if not (match := _OCTAL.fullmatch(text)) or (value := int(match[1], 8)) >= 2**32:
        raise ValueError(f"'{text[:40]}' is not an octal number such as 0755")
    return value


YES = Annotated[bool, Read(lambda text: text == "yes")]
"""Whether it says yes; anything else says no."""

ANY_U32 = Annotated[int, Read(any_base)]
ANY_U64 = Annotated[int, Read(_between(0, 2**64 - 1))]
ANY_I31 = Annotated[int, Read(_between(0, 2**31 - 1))]
ANY_I32 = Annotated[int, Read(_between(-(2**31), 2**31 - 1))]
BASE_16_U32 = Annotated[int, Read(_base_16(2**32 - 1)), Hex(1)]
BASE_16_U64 = Annotated[int, Read(_base_16(2**64 - 1)), Hex(1)]
HEX_I31 = Annotated[int, Read(_between(0, 2**31 - 1)), Hex(1)]
HEX_ID = Annotated[int, Read(any_base), Hex(4)]
MODE = Annotated[int, Read(_octal), Show("{:04o}".format)]
