"""Words inside attributes and texts: sets of numbers, sizes with units, UUIDs, bounded integers.

Each function takes the text as it stands in the file and raises ValueError with the reason when libvirt's
parser would refuse it. None of them knows what the value is for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Annotated

from qcaps.domainxml.codec import Hex, Read, Show

CPUSET_LENGTH = 16384
"""The first number too large for a set of CPUs or nodes (libvirt's VIR_DOMAIN_CPUMASK_LEN)."""

LARGEST_SIZE = 2**63 - 1024
"""The largest size in bytes: libvirt counts them as file offsets and keeps whole KiB."""

_FEW_RUNS = 64  # up to here a step on the whole number is quicker than its digits

_BLANK = " \t\n\v\f\r"
_PREFIXES = {letter: power for power, letter in enumerate("kmgtpe", start=1)}
_CPUSET_PART = re.compile(r"\s*(\^)?(\d{1,10})\s*(?:-\s*(\d{1,10})\s*)?", re.ASCII)
_UUID = re.compile(r"[- ]*(?:[0-9A-Fa-f]{2}[- ]*){15}[0-9A-Fa-f]{2}")


def cpuset(text: str) -> int:
    """The numbers in `0-3,^1,8`, as CPUs and nodes are listed; `^1` takes away what came before it.

    Number n is bit n: however many there are, a set takes 2 KiB, and two of them meet in a microsecond.
    """
    chosen = 0
    # one comma may stand at the end
    for part in text.rstrip(_BLANK).removesuffix(",").split(","):
        match = _CPUSET_PART.fullmatch(part)
        if match is None:
            raise ValueError(f"'{text[:40]}' is not a set of numbers such as 0-3,^1")
        taken_away, first, last = match[1], int(match[2]), int(match[3] or match[2])
        if last < first or (taken_away and match[3]):
            raise ValueError(f"'{part.strip()}' is not a range of numbers")
        if last >= CPUSET_LENGTH:
            raise ValueError(f"{last} is above the largest number, {CPUSET_LENGTH - 1}")
        if taken_away:
            chosen &= ~(1 << first)
        else:
            chosen |= (1 << last + 1) - (1 << first)
    return chosen


def runs(numbers: int) -> Iterator[tuple[int, int]]:
    """The first and the last of each run of neighbours in what `cpuset` gives, ascending."""
    passed = 0
    if (numbers & ~(numbers << 1)).bit_count() > _FEW_RUNS:
        for run in re.finditer("1+", f"{numbers:b}"[::-1]):
            yield run.start(), run.end() - 1
        return
    while numbers:
        gap = (numbers & -numbers).bit_length() - 1
        numbers >>= gap
        length = (~numbers & (numbers + 1)).bit_length() - 1
        numbers >>= length
        passed += gap + length
        yield passed - length, passed - 1


def each(numbers: int) -> Iterator[int]:
    """The single numbers in what `cpuset` gives, ascending."""
    return chain.from_iterable(range(first, last + 1) for first, last in runs(numbers))


def scaled(value: int, unit: str | None, default_unit: str = "KiB") -> int:
    """`value` in bytes; a unit is b, byte, bytes, or k to E, alone or with iB (1024s) or B (1000s)."""
    word = (unit or default_unit).lower()
    if word in ("b", "byte", "bytes"):
        factor = 1
    elif (power := _PREFIXES.get(word[0])) and word[1:] in ("", "ib", "b"):
        factor = (1000 if word[1:] == "b" else 1024) ** power
    else:
        raise ValueError(f"'{word[:40]}' is not a unit such as KiB or GB")
    if value * factor > LARGEST_SIZE:
        raise ValueError(f"{value} {unit or default_unit} is too large")
    return value * factor


def uuid(text: str) -> str:
    """`text` as 8-4-4-4-12 small hexadecimal digits; in it, dashes may stand between any two pairs."""
    stripped = text.strip(_BLANK)
    if not _UUID.fullmatch(stripped):
        raise ValueError(f"'{text[:40]}' is not a UUID")
    digits = stripped.replace("-", "").replace(" ", "").lower()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def hexadecimal(text: str) -> int:
    """The number that `text` names in base 16, with or without 0x."""
    if not re.fullmatch(r"(?:0[xX])?[0-9a-fA-F]{1,8}", text.lstrip(_BLANK)):
        raise ValueError(f"'{text[:40]}' is not a hexadecimal number of up to 8 digits")
    return int(text, 16)


def _whole(lowest: int, highest: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        stripped = text.lstrip(_BLANK)
        if not re.fullmatch(r"[+-]?[0-9]{1,20}", stripped):
            raise ValueError(f"'{text[:40]}' is not a whole number")
        if not lowest <= (value := int(stripped)) <= highest:
            raise ValueError(f"{value} is not between {lowest} and {highest}")
        return value

    return parse


def _wrapping(bits: int) -> Callable[[str], int]:
    """As C's strtoul: a negative number is taken from the other end."""
    highest = 2**bits - 1
    parse_any = _whole(-highest, highest)
    return lambda text: parse_any(text) & highest


def signed(number: int) -> int:
    """An unsigned number of 32 bits as C's int has it."""
    return number - 2**32 if number >= 2**31 else number


def _checked(check: Callable[[str], object]) -> Callable[[str], str]:
    def parse(text: str) -> str:
        check(text)
        return text

    return parse


def _nonempty_cpuset(text: str) -> None:
    if not cpuset(text):
        raise ValueError(f"'{text[:40]}' leaves no number over")


def _unit(text: str) -> None:
    if text:
        scaled(0, text)


U32 = Annotated[int, Read(_whole(0, 2**32 - 1))]
U64 = Annotated[int, Read(_whole(0, 2**64 - 1))]
wrapped_32 = _wrapping(32)
WRAPPED_U32 = Annotated[int, Read(wrapped_32)]
WRAPPED_U64 = Annotated[int, Read(_wrapping(64))]
AS_INT = Show(lambda number: str(signed(number)))
I31 = Annotated[int, Read(_whole(0, 2**31 - 1))]  # libvirt's int with a negative value refused
I32 = Annotated[int, Read(_whole(-(2**31), 2**31 - 1))]
signed_64 = _whole(-(2**63), 2**63 - 1)
I64 = Annotated[int, Read(signed_64)]
POSITIVE = Annotated[int, Read(_whole(1, 2**32 - 1))]
HEX32 = Annotated[int, Read(hexadecimal), Hex(4)]
CPUSET = Annotated[str, Read(_checked(_nonempty_cpuset))]
MAYBE_EMPTY_CPUSET = Annotated[str, Read(_checked(cpuset))]
UNIT = Annotated[str, Read(_checked(_unit))]
UUID = Annotated[str, Read(_checked(uuid))]
MAYBE_UUID = Annotated[str, Read(_checked(lambda text: text and uuid(text)))]
