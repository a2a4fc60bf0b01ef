"""libvirt's releases as values: ordered, and the ones that are known.

A rule that changed with a release has a table beside it, from the release that brought a value to the value:

    _WATCHDOG: Final[Since[bool]] = {R9_0: False, R11_3: True}
    …
    if since(_WATCHDOG, draft.release): …

A release between two known ones is judged by the older of them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple, TypeVar

from qcaps.errors import UsageError

T = TypeVar("T")


class Release(NamedTuple):
    """A release of libvirt; ordered, as 9.0 < 11.3."""

    major: int
    minor: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"


Since = Mapping[Release, T]
"""What holds from a release on, by release."""

R3_6: Final = Release(3, 6)
R4_0: Final = Release(4, 0)
R7_0: Final = Release(7, 0)
R9_0: Final = Release(9, 0)
R11_3: Final = Release(11, 3)
R12_8: Final = Release(12, 8)

KNOWN: Final = (R3_6, R4_0, R7_0, R9_0, R11_3, R12_8)
"""Those whose law is known, oldest first: how often each task looks up."""
MODELLED: Final = (R9_0, R11_3, R12_8)
"""Those whose rules are known too: what becomes of a domain."""
DEFAULT: Final = R12_8
"""That of the reference alone, where none is named: the newest that is modelled."""

_WRITTEN: Final = re.compile(r"(\d{1,4})\.(\d{1,4})(?:\.\d{1,4})?", re.ASCII)


class Nearest(NamedTuple):
    """The known release that another one is judged by; `warning` is one line where they differ."""

    release: Release
    warning: str = ""


def parse(text: str) -> Release:
    """The release in `text`, as in 9.0, 12.8 or 12.8.0. Raises UsageError."""
    found = _WRITTEN.fullmatch(text)
    if found is None:
        raise UsageError(f"no release of libvirt: {text!r}; expected one as in {R9_0} or {KNOWN[-1]}.0")
    return Release(int(found[1]), int(found[2]))


def of_version(number: int) -> Release:
    """The release in a version as libvirt counts: 12_008_000 is 12.8."""
    return Release(number // 1_000_000, number // 1_000 % 1_000)


def nearest(release: Release) -> Nearest:
    """The newest release whose law is known that is not newer than `release`.

    What is older than all of them is judged by the oldest, which stands for those before it.
    """
    known = max((one for one in KNOWN if one <= release), default=KNOWN[0])
    if known == release or release < KNOWN[0]:
        return Nearest(known)
    return Nearest(known, f"libvirt {release} is not known: judged by the law of {known}")


def modelled(release: Release) -> Nearest:
    """The newest release whose rules are known that is not newer than `release`.

    Raises UsageError, with the reason, for a release that is known by its law alone.
    """
    known = max((one for one in MODELLED if one <= release), default=None)
    if known is None:
        raise UsageError(
            f"libvirt {release} is known by its law alone (how often it looks up), not by its rules: the "
            f"reference can be {_listed(MODELLED)}"
        )
    if known == release:
        return Nearest(known)
    return Nearest(known, f"libvirt {release} is not known: the reference follows the rules of {known}")


def since(table: Since[T], release: Release) -> T:
    """What holds in `release`: the value of the newest entry that is not newer. Raises KeyError."""
    if release in table:  # most often; a define asks some 80 times
        return table[release]
    found = [one for one in table if one <= release]
    if not found:
        raise KeyError(release)
    return table[max(found)]


def _listed(releases: tuple[Release, ...]) -> str:
    return ", ".join(map(str, releases[:-1])) + f" or {releases[-1]}"
