"""Reads frozen dataclasses from XML elements and writes them back.

A class derives from `Element`; the annotation of a field says where its value lies:

    str, int, bool, Literal["a", "b"]   an attribute of the field's name
    Annotated[int, Hex(2)]              ... written as 0x1f
    Annotated[bool, ON_OFF]             ... on/off instead of yes/no
    Annotated[str, Name("tls-port")]    ... of another name (for child elements too)
    Annotated[str, TEXT]                the text of the element itself
    Annotated[str, CHILD]               the text of a child element
    Annotated[bool, FLAG]               an empty child element, there or not
    Annotated[int, Read(function)]      any of these, its text read by `function`, which may raise ValueError
    Annotated[int, Show(function)]      any of these, its text made by `function`
    a dataclass                         a child element
    A | B                               a child element whose attribute `type` says which (A.TYPE or B.TYPE)
    Annotated[A | B, Choose(function)]  a child element whose class `function` picks by its node
    tuple[A | B, ...]                   the child elements called A.TAG or B.TAG, in document order
    Annotated[str, Newer(R11_3)]        any of these, unknown before that release
    Annotated[A, LAST]                  a child element written after those of the base class

Any of them may be `| None`. A field without a default must be there. Two fields of one name take the first
and the second child of that name. An instance holds in its `__dict__` only what was set; defaults stay on
the class, which makes reading and `evolve` cheap. What no field declares is kept verbatim in
`Element.unknown_attributes` and `Element.unknown_children`. Texts are kept to the letter, numbers and words
may have blanks around them.
"""

from __future__ import annotations

from qcaps.domainxml.element import (
    CHILD,
    FLAG,
    LAST,
    ON_OFF,
    TEXT,
    Choose,
    Element,
    Hex,
    Name,
    Newer,
    Read,
    Show,
    XmlError,
    evolve,
    path_of,
)
from qcaps.domainxml.plan import escape, number, xml_names
from qcaps.domainxml.reading import read
from qcaps.domainxml.writing import write

__all__ = [
    "CHILD",
    "FLAG",
    "LAST",
    "ON_OFF",
    "TEXT",
    "Choose",
    "Element",
    "Hex",
    "Name",
    "Newer",
    "Read",
    "Show",
    "XmlError",
    "escape",
    "evolve",
    "number",
    "path_of",
    "read",
    "write",
    "xml_names",
]
