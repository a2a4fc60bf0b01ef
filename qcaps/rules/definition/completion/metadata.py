"""Metadata of applications: one element for each namespace."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lxml import etree

if TYPE_CHECKING:
    from qcaps.rules.draft import Draft


def keep_one_each(draft: Draft) -> None:
    """Drops elements without a namespace, and later ones of a namespace that was there before.

    Follows: virXMLNodeSanitizeNamespaces
    """
    children = draft.domain.unknown_children
    if any(map(_is_metadata, children)):
        kept = (_cleaned(raw) if _is_metadata(raw) else raw for raw in children)
        draft.set(unknown_children=tuple(kept))


_is_metadata = re.compile(rb"<metadata[\s/>]").match


def _cleaned(raw: bytes) -> bytes:
    node = etree.fromstring(raw)
    seen: set[str | None] = {None}
    excess = []
    for child in node:
        namespace = etree.QName(child).namespace
        if namespace in seen:
            excess.append(child)
        seen.add(namespace)
    for child in excess:
        node.remove(child)
    return etree.tostring(node, encoding="utf-8") if excess else raw
