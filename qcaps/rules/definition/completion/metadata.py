"""Metadata of applications: one element for each namespace."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lxml import etree

if TYPE_CHECKING:
    from qcaps.rules.draft import Draft


def keep_one_each(draft: Draft) -> None:
    """Of several <metadata> the first counts; in it elements need a namespace, and the first of each counts.

    Follows: virXMLNodeSanitizeNamespaces
    """
    children = draft.domain.unknown_children
    if (first := next(filter(_is_metadata, children), None)) is not None:
        others = (raw for raw in children if not _is_metadata(raw))
        draft.set(unknown_children=(_cleaned(first), *others))


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
