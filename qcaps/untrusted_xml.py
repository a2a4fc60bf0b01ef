"""The parser for XML from outside: nothing is expanded, fetched, or deeper than libxml2's own limits."""

from __future__ import annotations

from lxml import etree


def parser(*, comments: bool = False) -> etree.XMLParser:
    """A new one (lxml's keep the errors of what they read). `comments`: keep them, and instructions.

    A document type is read, and its entities left alone: that there is one is for the caller to refuse.
    """
    return etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        remove_comments=not comments,
        remove_pis=not comments,
    )
