"""The least of a domain on which the reference and libvirt still differ, and in the same way."""

from __future__ import annotations

import re
import time
from functools import partial
from typing import TYPE_CHECKING, Final

from lxml import etree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from qcaps.measure.fidelity.comparison import FidelityOutcome

MOST_TRIES: Final = 400
MOST_SECONDS: Final = 20.0
"""Each try asks both sides once, some seconds in all; more only where some of them kill libvirt."""


def sort_of(outcome: FidelityOutcome) -> str:
    """In which way the two differ, without the values, so that it is the same for one reason; "" for none."""
    if outcome.truth.death:
        return "libvirt gives no answer"
    if outcome.agrees:
        return ""
    if outcome.answer is False:
        error = outcome.error if outcome.error is not None else outcome.truth.error
        who = "only the reference refuses" if outcome.error is not None else "only libvirt refuses"
        return f"{who}: {_without_values(_without_place(error))}"
    if outcome.difference:
        return _without_values(outcome.difference[0])
    return "lookups"


def reduced(data: bytes, differs: Callable[[bytes], str], most: int = MOST_TRIES) -> bytes:
    """`data` without what can be left out while `differs`, asked of the rest, says the same of it."""
    wanted, tries, again = differs(data), 0, True
    end = time.monotonic() + MOST_SECONDS
    root = etree.fromstring(data, etree.XMLParser(remove_blank_text=True))
    while again:
        again = False
        for undo in _left_out(root):
            tries += 1
            if differs(etree.tostring(root, encoding="utf-8")) == wanted:
                again = True
            else:
                undo()
            if tries == most or time.monotonic() > end:
                return etree.tostring(root, encoding="utf-8", pretty_print=True)
    return etree.tostring(root, encoding="utf-8", pretty_print=True)


def _left_out(root: etree._Element) -> Iterator[Callable[[], None]]:
    """Leaves one element or attribute out, the largest parts first; what is yielded puts it back."""
    nodes = sorted(root.iter(etree.Element), key=lambda node: -len(etree.tostring(node)))
    for node in nodes:
        if (parent := node.getparent()) is not None and root in node.iterancestors():
            at = parent.index(node)
            parent.remove(node)
            yield partial(parent.insert, at, node)
    for node in root.iter(etree.Element):
        for name, value in [*node.items()]:
            del node.attrib[name]
            yield partial(node.set, name, value)


def _without_place(error: str) -> str:
    """A refusal of ours begins with file, line and element."""
    return error.rpartition(": ")[2] if error.count(": ") > 1 else error


def _without_values(text: str) -> str:
    return re.sub(r"'[^']*'|=\S+|\d+", "…", text)
