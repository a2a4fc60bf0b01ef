"""QEMU's own namespace as libvirt writes it: what it has read of it, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lxml import etree

from qcaps.domainxml.namespace import QEMU

if TYPE_CHECKING:
    from qcaps.rules.draft import Draft

_Node = etree._Element  # noqa: SLF001  # lxml-stubs names the element class only so

_READ: Final[dict[str, tuple[str, ...]]] = {
    "commandline": (),
    "commandline/arg": ("value",),
    "commandline/env": ("name", "value"),
    "capabilities": (),
    "capabilities/add": ("capability",),
    "capabilities/del": ("capability",),
    "override": (),
    "override/device": ("alias",),
    "override/device/frontend": (),
    "override/device/frontend/property": ("name", "type", "value"),
    "deprecation": ("behavior",),
}
"""The elements that are read, by their path, and the attributes of each."""


def keep_what_is_read(draft: Draft) -> None:
    """Leaves out texts, attributes and elements that mean nothing; several of a name are written as one.

    Follows: qemuDomainDefNamespaceFormatXML, virXMLFormatElement
    """
    children = draft.domain.unknown_children
    if not any(QEMU.encode() in raw for raw in children):
        return
    others: list[bytes] = []
    ours: dict[str, _Node] = {}
    for raw in children:
        node = etree.fromstring(raw) if QEMU.encode() in raw else None
        if node is None or etree.QName(node).namespace != QEMU:
            others.append(raw)
            continue
        kept = _kept(node, "")
        if kept is not None and kept.tag in ours:
            ours[kept.tag].extend([*kept])
        elif kept is not None:
            ours[kept.tag] = kept
    written = (etree.tostring(node, encoding="utf-8") for node in ours.values() if _says_something(node))
    draft.set(unknown_children=(*others, *written))


def _says_something(node: _Node) -> bool:
    return len(node) > 0 or any(node.attrib.values())


def _kept(node: _Node, above: str) -> _Node | None:
    """The element with what is read of it; None if that is nothing."""
    path = f"{above}{etree.QName(node).localname}"
    attributes = _READ.get(path)
    if attributes is None or etree.QName(node).namespace != QEMU:
        return None
    said = {name: value for name in attributes if (value := node.get(name)) is not None}
    made = etree.Element(node.tag, said, nsmap={"qemu": QEMU})
    below = (_kept(child, f"{path}/") for child in node.iterchildren(etree.Element))
    made.extend([child for child in below if child is not None])
    return made if said or len(made) else None
