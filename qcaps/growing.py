"""A user's own domain with n devices more, of the kind that a scenario is made of.

The devices come from the scenario's module: what it makes for n beyond what it makes for none. Only these
are renamed, to names, numbers and MACs that the domain has free; PCI, CCW, USB and serial addresses are left
for libvirt to assign, which adds the root ports, bridges and hubs they take. Nothing that was there changes.
"""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import TYPE_CHECKING, Final

from lxml import etree

from qcaps.content import SHIPPED, ContentFolders, call, declared
from qcaps.errors import QcapsError, UsageError
from qcaps.growing_taken import Taken
from qcaps.guest_file import document_of
from qcaps.scenario import scenario

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lxml.etree import _Element

MOST: Final = 10_000
"""More devices than any machine takes; libvirt's own limits are below."""


def grown(xml: bytes, family: str, n: int, seed: int = 0, content: ContentFolders = SHIPPED) -> bytes:
    """The domain in `xml` and n devices of `family`, in UTF-8; the same ones for the same seed.

    Raises QcapsError, UsageError where n is out of range.
    """
    if not 0 <= n <= MOST:
        raise UsageError(f"--grow {family} takes 0 to {MOST} more, not {n}")
    root = document_of(xml)
    taken = Taken.of(root)
    home = _home(root)
    for device in list(_added(family, n, _machine(root), seed, content)):
        taken.fit(device)
        device.tail = "\n    "
        home.append(device)
    return etree.tostring(root, encoding="unicode").encode()


def _home(root: _Element) -> _Element:
    """The last `<devices>`: what stands there comes after all others of its kind."""
    found = root.findall("devices")
    return found[-1] if found else etree.SubElement(root, "devices")


def _added(family: str, n: int, machine: str, seed: int, content: ContentFolders) -> Iterator[_Element]:
    one = scenario(family, content)
    known = declared(one.module, "LARGEST", dict)
    key = machine if machine in known else next(iter(known))

    def drawn(size: int) -> tuple[str, ...]:
        draw = Random(f"{family} {seed}")
        return call(one.module, lambda: tuple(one.devices(size, key, draw)))

    constant = Counter(drawn(0))
    for text in drawn(n):
        if constant[text]:
            constant[text] -= 1
            continue
        try:
            yield from etree.fromstring(f"<devices>{text}</devices>")
        except (etree.XMLSyntaxError, ValueError) as error:
            raise QcapsError(f"{one.module.__file__}: devices() yields what is not XML: {error}") from None


def _machine(root: _Element) -> str:
    """The machine type of the guest as scenarios name them."""
    kind = root.find("os/type")
    machine = (kind.get("machine") if kind is not None else None) or "pc"
    if machine == "q35" or machine.startswith("pc-q35"):
        return "q35"
    if machine == "pc" or machine.startswith(("pc-i440fx", "pc-0", "pc-1")):
        return "pc"
    return "s390-ccw-virtio" if machine.startswith("s390-ccw") else machine
