"""What a task did, as plain values."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qcaps.domainxml.domain import Domain


@dataclass(frozen=True)
class NamedLookup:
    """One lookup of a task.

    Attributes:
        number: 1 for the task's first.
        site: the place that asked, as in `validate device`.
        device: in a few words, as in `disk file virtio vda`; None where the site is about the whole domain.
        line: of the device in the XML; None where it stands in none, as what libvirt adds by itself.
    """

    number: int
    site: str
    device: str | None = None
    line: int | None = None


@dataclass(frozen=True)
class Outcome:
    """What a task did.

    Attributes:
        task: `define`, `start`, `createXML`, `attach` or `detach`.
        name: the domain's.
        devices: the devices in the domain it left, those that libvirt adds included.
        explained: its lookups in order.
        forks: the processes that its lookups started; those of other tasks too, where threads share a driver.
        probes: likewise, how often a QEMU was asked anew.
        xml: the definition as it was written; "" for a start.
        command: QEMU's command line, word for word; empty where nothing was started.
        assumed: what in that command line only a host could have said and was made up, a line each.
        retried: how often it was undone and run again, since capabilities changed.
        domain: the definition as values; what these offer may change at any time.
    """

    task: str
    name: str
    devices: int
    explained: tuple[NamedLookup, ...]
    forks: int
    probes: int
    xml: str
    command: tuple[str, ...]
    assumed: tuple[str, ...]
    retried: int
    domain: Domain

    @property
    def lookups(self) -> int:
        """How often the task looked up."""
        return len(self.explained)

    @property
    def sites(self) -> dict[str, int]:
        """Lookups by site, in the order of the first of each."""
        return dict(Counter(one.site for one in self.explained))
