"""The lookups of one task by name: the site, and the device in a few words."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from qcaps.measure.worker.trace import Recorder

if TYPE_CHECKING:
    from qcaps.domainxml.codec import Element
    from qcaps.lookups.site import Site


@dataclass
class Names(Recorder):
    """Takes down the site and the device ("" without one) of each lookup, in order."""

    seen: list[tuple[str, str]] = field(default_factory=list)

    def watch(self, site: Site, device: Element | None) -> None:
        """A lookup begins."""
        self.seen.append((site.value, "" if device is None else describe(device)))


def describe(device: Element) -> str:
    """The device in a few words: its kind and what tells it apart."""
    words = [device.TAG]
    words += [
        str(value)
        for name in ("type", "model", "bus", "index")
        if (value := getattr(device, name, None))
        if isinstance(value, str | int)
    ]
    target = getattr(device, "target", None)
    if target is not None and getattr(target, "dev", None):
        words.append(str(target.dev))
    return " ".join(words)
