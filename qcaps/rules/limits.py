"""Bounds that libvirt does not have: beyond them time and memory would grow with a number in the file.

They lie far beyond what QEMU can start. A file with more *elements* is as slow as it is long.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qcaps.rules.refusal import Refused

if TYPE_CHECKING:
    from qcaps.domainxml.codec import Element

CONTROLLERS: Final = 1024
"""Of one type. A PCI address has room for 256 buses."""

CPUS: Final = 16384
"""As many as libvirt counts."""

IOTHREADS: Final = CPUS
"""No guest has use for more."""


def check_number(what: str, number: int, most: int, element: Element | None = None) -> None:
    """Refuses `number` of `what` above `most`."""
    if number > most:
        raise Refused(f"unsupported configuration: {number} {what}, at most {most} are supported", element)
