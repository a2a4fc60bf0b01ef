"""How far a domain grows: asked of the reference pipeline, or of whoever else accepts and refuses.

What runs out first depends on the domain (PCI slots, bus numbers, USB ports), so the answer is not computed
but found, by halving; the words of the first refusal say what it was.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from qcaps.content import SHIPPED, ContentFolders
from qcaps.errors import QcapsError
from qcaps.growing import MOST, grown
from qcaps.scenario import scenario

Refusal = Callable[[bytes], str]
"""Why a domain is refused; "" for one that is accepted."""

_FAMILYS: Final = (1, 4, 16, 64)


@dataclass(frozen=True)
class Limit:
    """The largest n, and why there is no larger one."""

    family: str
    largest: int
    why: str

    def __str__(self) -> str:
        if not self.why:
            return f"--grow {self.family}: takes {self.largest} more, the most that is tried"
        return f"--grow {self.family}: takes {self.largest} more and no {self.largest + 1}: {self.why}"


def limit(
    xml: bytes,
    family: str,
    refusal: Refusal | None = None,
    content: ContentFolders = SHIPPED,
    most: int = MOST,
) -> Limit:
    """The largest n that `refusal` accepts, the reference's own without it; at most `most`.

    It is -1 for a domain that is refused as it is. Raises QcapsError for XML that is no domain.
    """
    asked = refusal or refused_by_reference

    def why(n: int) -> str:
        return asked(grown(xml, family, n, content=content))

    if words := why(0):
        return Limit(family, -1, words)
    good, bad, words = 0, 1, ""
    while bad <= most and not (words := why(bad)):
        good, bad = bad, 2 * bad
    if bad > most:
        bad, words = most + 1, ""
    while bad - good > 1:
        middle = (good + bad) // 2
        if middle > most:
            break
        if found := why(middle):
            bad, words = middle, found
        else:
            good = middle
    return Limit(family, good, words)


def fitting(
    xml: bytes, family: str, content: ContentFolders = SHIPPED, refusal: Refusal | None = None
) -> tuple[int, ...]:
    """0 and those n of the family's own that fit on the domain; all where it is refused as it is."""
    asked = refusal or refused_by_reference
    steps = scenario(family, content).steps
    steps = _FAMILYS if len(steps) == 1 else steps
    if asked(xml):
        return (0, *steps)
    for count in range(len(steps), 0, -1):
        if not asked(grown(xml, family, steps[count - 1], content=content)):
            return (0, *steps[:count])
    return (0,)


def refused_by_reference(xml: bytes) -> str:
    """Why the reference, with recorded capabilities, refuses to define the domain."""
    from qcaps.driver.reference import reference  # only who asks pays for it

    with tempfile.TemporaryDirectory(prefix="qcaps-grow-") as folder:
        driver = reference(Path(folder), policy="once", validity="trust")
        try:
            driver.warm(xml)
            driver.define(xml)
        except QcapsError as error:
            return str(error).removeprefix("<string>:")
    return ""
