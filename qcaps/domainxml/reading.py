"""Reads an element by the plan of its class, in one pass over its attributes and children."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any, cast

from lxml import etree

from qcaps.domainxml.element import LIBVIRT, E, Element, Node, XmlError, line_of
from qcaps.domainxml.plan import Field, plan_of
from qcaps.release import DEFAULT, MODELLED, Release

_Put = Callable[[Node, dict[str, Any]], None]
_Reader = Callable[[Node], Element]
_Merger = Callable[[Node, Element], None]

_VERBATIM = ("unknown_attributes", "unknown_children")


class _Way:
    """Readers by class; `strangers`: whether what no field declares is kept, or dropped.

    `release` is that of the libvirt that reads.
    """

    def __init__(self, release: Release, *, strangers: bool) -> None:
        self.strangers = strangers
        self.release = release
        self.readers: dict[type[Element], _Reader] = {}
        self.mergers: dict[type[Element], _Merger] = {}

    def reader(self, cls: type[Element]) -> _Reader:
        reader = self.readers.get(cls)
        if reader is None:
            reader = self.readers[cls] = _compile(cls, self)
        return reader


_ALL = {release: _Way(release, strangers=True) for release in MODELLED}
_KNOWN = {release: _Way(release, strangers=False) for release in MODELLED}


def read(cls: type[E], node: Node, *, strangers: bool = True, release: Release = DEFAULT) -> E:
    """The object of class `cls` that `node` describes to libvirt of that release. Raises XmlError.

    What no field declares is kept verbatim; without `strangers`, that alone which the class says is kept.
    """
    return cast("E", (_ALL if strangers else _KNOWN)[release].reader(cls)(node))


def _compile(cls: type[Element], way: _Way) -> _Reader:
    plan = tuple(
        item
        for one in plan_of(cls)
        if one.field not in cls.UNREAD and (item := one.under(way.release)) is not None
    )
    attributes = {
        item.name: (item.field, _or_none(item) if cls.XPATH else item.parse)
        for item in plan
        if item.kind == "attribute"
    }
    children = _child_readers(cls, plan, way)
    finish = _finisher(cls, plan)
    way.mergers[cls] = _merger(cls, plan, children, finish, way)
    strangers, kept = way.strangers, cls.KEPT
    new = object.__new__
    passed_over = cls.passed_over if cls.passed_over is not Element.passed_over else None

    def reader(node: Node) -> Element:
        element = new(cls)
        values = element.__dict__
        values["line"] = line_of(node)
        unread = passed_over(node) if passed_over is not None else ()
        for key, value in cast("Iterator[tuple[str, str]]", node.items()):
            if (known := attributes.get(key)) is None or key in unread:
                if strangers:
                    values.setdefault("unknown_attributes", []).append((key, value))
                continue
            try:
                values[known[0]] = known[1](value)
            except ValueError as error:
                raise XmlError(node, f"attribute {key}: {error}") from None
        for child in node:
            tag = child.tag
            if (put := children.get(tag)) is not None and tag not in unread:
                put(child, values)
            elif isinstance(tag, str) and (strangers or tag in kept):  # no comment
                values.setdefault("unknown_children", []).append(_verbatim(child))
        finish(node, element)
        return element

    return reader


def _or_none(item: Field) -> Callable[[str], Any]:
    parse = item.parse
    return lambda text: parse(text) if text else None


def _merger(
    cls: type[Element],
    plan: tuple[Field, ...],
    children: dict[str, _Put],
    finish: Callable[[Node, Element], None],
    way: _Way,
) -> _Merger:
    """Reads one more node into an element that is there: an XPath through both sees the children of both.

    Of an attribute the first counts, or the last where the class says so. A class that says what of it is
    read across its siblings has nothing else read.
    """
    attributes = {item.name: item for item in plan if item.kind == "attribute"}
    many = tuple(item.field for item in plan if item.kind == "elements")
    across = {item.name: item.field for item in plan if item.field in cls.ACROSS}

    def merge(node: Node, element: Element) -> None:
        values = element.__dict__
        for field in many:
            if field in values:
                values[field] = list(values[field])
        for key, value in cast("Iterator[tuple[str, str]]", node.items()):
            known = attributes.get(key)
            if known is not None and cls.MERGED and (cls.LAST_COUNTS or known.field not in values):
                values[known.field] = _attribute(known, value, node) if value or not cls.XPATH else None
        for child in node:
            tag = child.tag
            if (shared := across.get(tag)) is not None and shared in values:
                way.mergers[type(values[shared])](child, values[shared])
            elif (cls.MERGED or shared is not None or not cls.ACROSS) and (
                put := children.get(tag)
            ) is not None:
                put(child, values)
        finish(node, element)

    return merge


def _attribute(item: Field, value: str, node: Node) -> Any:  # noqa: ANN401  # whatever the field holds
    try:
        return item.parse(value)
    except ValueError as error:
        raise XmlError(node, f"attribute {item.name}: {error}") from None


def _verbatim(node: Node) -> bytes:
    """The text of `node` in UTF-8, which alone can spell every name, with the namespaces it uses.

    Of a copy, for the original would declare all that are in scope.
    """
    return etree.tostring(copy.deepcopy(node), encoding="utf-8", with_tail=False)


def _finisher(cls: type[Element], plan: tuple[Field, ...]) -> Callable[[Node, Element], None]:
    text = next((item for item in plan if item.kind == "text"), None)
    required = tuple(item for item in plan if item.required)
    many = tuple(item.field for item in plan if item.kind == "elements") + _VERBATIM
    merged = cls.MERGED  # then a sibling may have what is missing
    refuses = cls.refusal is not Element.refusal

    def finish(node: Node, element: Element) -> None:
        values = element.__dict__
        if text is not None and text.parse is not str:
            values.pop("unknown_children", None)  # part of this text: kept, they would count twice
        if text is not None and text.field not in values and (content := _content(text, node)):
            values[text.field] = _parsed(text, content, node)
        for field in many:
            if field in values:
                values[field] = tuple(values[field])
        for item in required:
            if values.get(item.field) is None and not (
                merged and next(node.itersiblings(node.tag), None) is not None
            ):
                raise XmlError(node, f"{_what(item)} is missing")
        if refuses and (why := element.refusal()):
            raise XmlError(node, why)

    return finish


def _what(item: Field) -> str:
    if item.kind == "text":
        return "the text"
    return f"attribute {item.name}" if item.kind == "attribute" else f"<{item.tags[0]}>"


def _content(item: Field, node: Node) -> str:
    """The text of `node`. A word or number is all that stands in it, as XPath takes it; layout is no text."""
    if item.parse is str:
        own = node.text or ""
        return own if own.strip() or not len(node) else ""
    whole = _string(node)
    return whole if whole.strip() or not len(node) else ""


def _string(node: Node) -> str:
    return "".join(cast("Iterator[str]", node.itertext())) if len(node) else node.text or ""


def _parsed(item: Field, content: str, node: Node) -> Any:  # noqa: ANN401  # whatever the field holds
    """Blanks are the parser's business: libvirt takes them before a number, and nowhere else."""
    try:
        return item.parse(content)
    except ValueError as error:
        raise XmlError(node, str(error)) from None


def _child_readers(cls: type[Element], plan: tuple[Field, ...], way: _Way) -> dict[str, _Put]:
    """What to do with a child element, by its tag; fields of one name take its occurrences in turn."""
    children: dict[str, _Put] = {}
    for item in plan:
        for tag, put in _puts(item, cls, way):
            children[tag] = put if tag not in children else _in_turn(children[tag], item.field, put)
    return children


def _in_turn(first: _Put, field: str, second: _Put) -> _Put:
    def put(node: Node, values: dict[str, Any]) -> None:
        count = len(values)
        try:
            first(node, values)
        except _TooMany:
            second(node, values)
            return
        if len(values) == count and field not in values:
            second(node, values)

    return put


def _puts(item: Field, cls: type[Element], way: _Way) -> Iterator[tuple[str, _Put]]:
    match item.kind:
        case "child text":
            yield item.name, _put_text(item)
        case "flag":
            yield item.name, lambda _node, values: values.__setitem__(item.field, True)
        case "element":
            yield item.name, _put_element(item, cls, way)
        case "elements":
            for member in item.members:
                yield member.TAG, _put_member(item.field, member, way)


def _put_text(item: Field) -> _Put:
    takes_empty = item.takes_empty

    def put(node: Node, values: dict[str, Any]) -> None:
        if item.field in values:
            return
        content = _string(node)
        # an empty one is none, and still the first; libvirt reads it so
        values[item.field] = _parsed(item, content, node) if content or takes_empty else None

    return put


class _TooMany(XmlError):
    """A child that may not be there so often."""


def _put_element(item: Field, cls: type[Element], way: _Way) -> _Put:
    """Of two, the first counts, unless the classes say otherwise; libvirt reads it so."""
    field = item.field
    once, last_counts = item.name in cls.ONCE, cls.LAST_COUNTS
    class_of = item.choose or _chooser(item)
    reader_of = way.reader

    def put(node: Node, values: dict[str, Any]) -> None:
        if field not in values:
            chosen = class_of(node)
            if chosen is not None:
                values[field] = reader_of(chosen)(node)
            return
        if once:
            raise _TooMany(node, "is there too often")
        there: Element = values[field]
        if there.MERGED or there.ACROSS:
            way.mergers[type(there)](node, there)
        elif last_counts:
            values[field] = reader_of(type(there))(node)

    return put


def _chooser(item: Field) -> Callable[[Node], type[Element] | None]:
    if len(item.members) == 1:
        (cls,) = item.members
        return lambda _node: cls
    variants = {member.TYPE: member for member in item.members}

    def choose(node: Node) -> type[Element]:
        try:
            return variants[node.get("type", "")]
        except KeyError:
            said = node.get("type")
            why = "attribute type is missing" if said is None else f"type '{said[:40]}' is unknown"
            raise XmlError(node, f"{why}; it is one of {', '.join(sorted(variants))} ({LIBVIRT})") from None

    return choose


def _put_member(field: str, cls: type[Element], way: _Way) -> _Put:
    read_member: _Reader | None = None  # found at first use: classes may nest

    def put(node: Node, values: dict[str, Any]) -> None:
        nonlocal read_member
        if read_member is None:
            read_member = way.reader(cls)
        values.setdefault(field, []).append(read_member(node))

    return put
