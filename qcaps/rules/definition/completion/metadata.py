"""Metadata of applications: one element for each namespace."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lxml import etree

if TYPE_CHECKING:
    from qcaps.rules.draft import Draft


def keep_one_each(draft: Draft) -> None:
    """Drops elements without a namespace, and later ones of a namespace that was there before."""
    children = draft.domain.unknown_children
    if any(raw.startswith(b"<metadata") for raw in children):
        kept = (_cleaned(raw) if raw.startswith(b"<metadata") else raw for raw in children)
        draft.set(unknown_children=tuple(kept))


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
    return etree.tostring(node) if excess else raw
