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
    a dataclass                         a child element
    A | B                               a child element whose attribute `type` says which (A.TYPE or B.TYPE)
    tuple[A | B, ...]                   the child elements called A.TAG or B.TAG, in document order

Any of them may be `| None`. A field without a default must be there. An instance holds in its `__dict__`
only what was set; defaults stay on the class, which makes reading and `evolve` cheap. What no field
declares is kept verbatim in `Element.unknown_attributes` and `Element.unknown_children`.
"""

from __future__ import annotations

import dataclasses
import enum
import re
import types
from collections.abc import Callable, Iterator
from functools import cache
from typing import (
    Annotated,
    Any,
    ClassVar,
    Literal,
    NamedTuple,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

from lxml import etree

from qcaps.errors import QcapsError

_Node = etree._Element  # noqa: SLF001  # lxml-stubs names the element class only so
_E = TypeVar("_E", bound="Element")


class Place(enum.Enum):
    """Where a value lies when it is no attribute."""

    TEXT = enum.auto()
    CHILD = enum.auto()
    FLAG = enum.auto()


class Words(enum.Enum):
    """How a boolean is spelt."""

    YES_NO = ("yes", "no")
    ON_OFF = ("on", "off")


class Name(NamedTuple):
    """The name in the XML, where it differs from the field's."""

    name: str


class Hex(NamedTuple):
    """Digits of a number that is written as 0x…"""

    digits: int


class Read(NamedTuple):
    """The function that reads the text, where its words are narrower than those of the type."""

    parse: Callable[[str], Any]


TEXT, CHILD, FLAG = Place.TEXT, Place.CHILD, Place.FLAG
ON_OFF = Words.ON_OFF


class XmlError(QcapsError):
    """A node that its class cannot hold: line, path and reason."""

    def __init__(self, node: _Node, why: str) -> None:
        self.line = node.sourceline or 0
        self.path = path_of(node)
        self.why = why
        super().__init__(f"line {self.line}: {self.path}: {why}")


def path_of(node: _Node) -> str:
    """The way to `node`, as in /domain/devices/disk[2]."""
    return str(node.getroottree().getpath(node))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Element:
    """Base of everything the codec reads: where it stood, and what its class does not model."""

    TAG: ClassVar[str] = ""
    TYPE: ClassVar[str] = ""

    line: int = dataclasses.field(default=0, compare=False, repr=False)
    unknown_attributes: tuple[tuple[str, str], ...] = ()
    unknown_children: tuple[bytes, ...] = ()


_BASE = frozenset(field.name for field in dataclasses.fields(Element))
_VERBATIM = ("unknown_attributes", "unknown_children")


def evolve(element: _E, **changes: Any) -> _E:  # noqa: ANN401  # the fields of any element
    """A copy of `element` with `changes`; a tenth of the cost of `dataclasses.replace`."""
    new = object.__new__(type(element))
    values = new.__dict__
    values.update(element.__dict__)
    values.update(changes)
    return new


def read(cls: type[_E], node: _Node) -> _E:
    """The object of class `cls` that `node` describes. Raises XmlError."""
    return cast("_E", _reader(cls)(node))


def write(element: Element, tag: str = "", indent: str = "") -> str:
    """The XML text of `element`, laid out the way libvirt does (two spaces, single quotes)."""
    out: list[str] = []
    _writer(type(element))(element, tag or element.TAG, indent, out)
    return "".join(out)


# ── scalars ────────────────────────────────────────────────────────────────────────────────────────

_NUMBER = re.compile(r"\s*(-?\d{1,20}|0[xX][0-9a-fA-F]{1,16})\s*")
_TEXT_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "'": "&apos;", '"': "&quot;", "\r": "&#13;"}
_IN_TEXT = str.maketrans(_TEXT_ESCAPES)
_IN_ATTRIBUTE = str.maketrans(_TEXT_ESCAPES | {"\n": "&#10;", "\t": "&#9;"})  # else read back as spaces


def number(text: str) -> int:
    """The integer in `text`, decimal or 0x…; raises ValueError."""
    if not (match := _NUMBER.fullmatch(text)):
        raise ValueError(f"'{text[:40]}' is not a number")
    digits = match[1]
    return int(digits, 16) if digits[:2] in ("0x", "0X") else int(digits)


def escape(text: str) -> str:
    """`text` safe inside an attribute."""
    return text.translate(_IN_ATTRIBUTE)


def _escape_text(text: str) -> str:
    return text.translate(_IN_TEXT)


def _attribute(index: int, key: str, value: str) -> str:
    """An attribute kept verbatim, with its namespace declared on the spot."""
    if key[0] != "{":
        return f" {key}='{escape(value)}'"
    namespace, _, name = key[1:].rpartition("}")
    if namespace == "http://www.w3.org/XML/1998/namespace":  # the one prefix that is always there
        return f" xml:{name}='{escape(value)}'"
    return f" xmlns:ns{index}='{escape(namespace)}' ns{index}:{name}='{escape(value)}'"


def _parser(hint: Any, words: Words) -> Callable[[str], Any]:  # noqa: ANN401  # a type form
    if hint is str:
        return str
    if hint is int:
        return number
    allowed: dict[str, Any]
    if hint is bool:
        allowed = dict(zip(words.value, (True, False), strict=True))
    elif get_origin(hint) is Literal:
        allowed = {word: word for word in get_args(hint)}
    else:
        raise TypeError(f"no way to read {hint}")

    def parse(text: str) -> Any:  # noqa: ANN401  # bool or one of the words
        try:
            return allowed[text]
        except KeyError:
            raise ValueError(f"'{text[:40]}' is not one of {', '.join(sorted(allowed))}") from None

    return parse


def _shower(hint: Any, words: Words, hexadecimal: Hex | None, place: Place | None) -> Callable[[Any], str]:  # noqa: ANN401
    if hint is int:
        return str if hexadecimal is None else f"0x{{:0{hexadecimal.digits}x}}".format
    if hint is bool:
        return lambda value: words.value[0] if value else words.value[1]
    return escape if place is None else _escape_text


# ── the plan of a class ────────────────────────────────────────────────────────────────────────────


class _Field(NamedTuple):
    field: str
    name: str  # in the XML; "" for a tuple, whose members name themselves
    kind: Literal["attribute", "text", "child text", "flag", "element", "elements"]
    required: bool
    parse: Callable[[str], Any] = str
    show: Callable[[Any], str] = str
    members: tuple[type[Element], ...] = ()


@cache
def _plan(cls: type[Element]) -> tuple[_Field, ...]:
    hints = get_type_hints(cls, include_extras=True)
    fields = {field.name: field for field in dataclasses.fields(cls) if field.name not in _BASE}
    # a kind's own fields first, then what it shares: libvirt ends a device with <alias> and <address>
    own_first = dict.fromkeys(
        name for base in cls.__mro__ for name in base.__dict__.get("__annotations__", ())
    )
    return tuple(
        _field(name, hints[name], required=fields[name].default is dataclasses.MISSING)
        for name in own_first
        if name in fields
    )


def xml_names(cls: type[Element]) -> frozenset[str]:
    """The child elements that `cls` declares, by their names in the XML."""
    plan = [item for item in _plan(cls) if item.kind not in ("attribute", "text")]
    return frozenset(name for item in plan for name in ([item.name] if item.name else _tags(item)))


def _tags(item: _Field) -> list[str]:
    return [member.TAG for member in item.members]


def _field(field: str, hint: Any, *, required: bool) -> _Field:  # noqa: ANN401  # a type form
    notes: list[Any] = []
    hint = _plain(hint, notes)
    name = next((note.name for note in notes if isinstance(note, Name)), field)
    words = next((note for note in notes if isinstance(note, Words)), Words.YES_NO)
    digits = next((note for note in notes if isinstance(note, Hex)), None)
    place = next((note for note in notes if isinstance(note, Place)), None)
    if get_origin(hint) is tuple:
        member = get_args(hint)[0]
        members = get_args(member) if get_origin(member) in (Union, types.UnionType) else (member,)
        return _Field(field, "", "elements", required, members=members)
    if dataclasses.is_dataclass(hint):
        return _Field(field, name, "element", required, members=(cast("type[Element]", hint),))
    if get_origin(hint) in (Union, types.UnionType):
        return _Field(field, name, "element", required, members=get_args(hint))
    if place is Place.FLAG:
        return _Field(field, name, "flag", required)
    kind: Any = {Place.TEXT: "text", Place.CHILD: "child text", None: "attribute"}[place]
    own = next((note.parse for note in notes if isinstance(note, Read)), None)
    parse = _parser(hint, words) if own is None else own
    return _Field(field, name, kind, required, parse, _shower(hint, words, digits, place))


def _plain(hint: Any, notes: list[Any]) -> Any:  # noqa: ANN401  # a type form
    """The bare type of `hint`; collects its annotations and drops `| None`."""
    while True:
        if get_origin(hint) is Annotated:
            hint, *more = get_args(hint)
            notes.extend(more)
        elif get_origin(hint) in (Union, types.UnionType) and types.NoneType in get_args(hint):
            hint = Union[tuple(one for one in get_args(hint) if one is not types.NoneType)]  # noqa: UP007
        else:
            return hint


# ── reading ────────────────────────────────────────────────────────────────────────────────────────

_Put = Callable[[_Node, dict[str, Any]], None]


@cache
def _reader(cls: type[Element]) -> Callable[[_Node], Element]:
    plan = _plan(cls)
    attributes = {item.name: (item.field, item.parse) for item in plan if item.kind == "attribute"}
    children: dict[str, _Put] = dict(_child_readers(plan))
    text = next((item for item in plan if item.kind == "text"), None)
    required = tuple(item.field for item in plan if item.required)
    many = tuple(item.field for item in plan if item.kind == "elements") + _VERBATIM
    new = object.__new__

    def reader(node: _Node) -> Element:
        element = new(cls)
        values = element.__dict__
        values["line"] = node.sourceline or 0
        for key, value in node.items():
            if (known := attributes.get(key)) is None:
                values.setdefault("unknown_attributes", []).append((key, value))
                continue
            try:
                values[known[0]] = known[1](value)
            except ValueError as error:
                raise XmlError(node, f"attribute {key}: {error}") from None
        for child in node:
            tag = child.tag
            if (put := children.get(tag)) is not None:
                put(child, values)
            elif isinstance(tag, str):
                values.setdefault("unknown_children", []).append(etree.tostring(child, with_tail=False))
        if text is not None and node.text is not None and (content := node.text.strip()):
            try:
                values[text.field] = text.parse(content)
            except ValueError as error:
                raise XmlError(node, str(error)) from None
        for field in many:
            if field in values:
                values[field] = tuple(values[field])
        for field in required:
            if field not in values:
                raise XmlError(node, f"{field} is missing")
        return element

    return reader


def _child_readers(plan: tuple[_Field, ...]) -> Iterator[tuple[str, _Put]]:
    for item in plan:
        match item.kind:
            case "child text":
                yield item.name, _text_reader(item)
            case "flag":
                yield item.name, _flag_reader(item)
            case "element":
                yield item.name, _element_reader(item)
            case "elements":
                for member in item.members:
                    yield member.TAG, _member_reader(item, member)


def _text_reader(item: _Field) -> _Put:
    def put(node: _Node, values: dict[str, Any]) -> None:
        try:
            values.setdefault(item.field, item.parse((node.text or "").strip()))
        except ValueError as error:
            raise XmlError(node, str(error)) from None

    return put


def _flag_reader(item: _Field) -> _Put:
    return lambda _node, values: values.__setitem__(item.field, True)


def _element_reader(item: _Field) -> _Put:
    if len(item.members) == 1:
        (cls,) = item.members

        def put(node: _Node, values: dict[str, Any]) -> None:
            if item.field not in values:  # of two, the first counts; libvirt reads it so
                values[item.field] = _reader(cls)(node)

        return put

    variants = {member.TYPE: member for member in item.members}

    def put_variant(node: _Node, values: dict[str, Any]) -> None:
        chosen = variants.get(node.get("type", ""))
        if chosen is None:
            raise XmlError(node, f"type '{node.get('type')}' is not one of {', '.join(sorted(variants))}")
        values.setdefault(item.field, _reader(chosen)(node))

    return put_variant


def _member_reader(item: _Field, cls: type[Element]) -> _Put:
    read_member: Callable[[_Node], Element] | None = None  # found at first use: classes may nest

    def put(node: _Node, values: dict[str, Any]) -> None:
        nonlocal read_member
        if read_member is None:
            read_member = _reader(cls)
        values.setdefault(item.field, []).append(read_member(node))

    return put


# ── writing ────────────────────────────────────────────────────────────────────────────────────────

_Write = Callable[[Element, str, str, list[str]], None]


@cache
def _writer(cls: type[Element]) -> _Write:
    plan = _plan(cls)
    attributes = tuple((i.field, f" {i.name}='", i.show) for i in plan if i.kind == "attribute")
    text = next((item for item in plan if item.kind == "text"), None)
    children = tuple(item for item in plan if item.kind not in ("attribute", "text"))

    def writer(element: Element, tag: str, indent: str, out: list[str]) -> None:
        get = element.__dict__.get
        out.append(f"{indent}<{tag}")
        for field, opening, show in attributes:
            if (value := get(field)) is not None:
                out.append(f"{opening}{show(value)}'")
        for index, (key, value) in enumerate(element.unknown_attributes):
            out.append(_attribute(index, key, value))
        mark = len(out)
        out.append(">")
        if text is not None and (value := get(text.field)) is not None:
            out.append(f"{text.show(value)}")
            layout = False
        else:
            out.append("\n")
            layout = True
        inner = indent + "  "
        for item in children:
            if (value := get(item.field)) is not None:
                _write_child(item, value, inner, out)
        for raw in element.unknown_children:
            out.append(f"{inner}{raw.decode()}\n")
        if layout and len(out) == mark + 2:
            out[mark:] = ["/>\n"]
        else:
            out.append(f"{indent}</{tag}>\n" if layout else f"</{tag}>\n")

    return writer


def _write_child(item: _Field, value: Any, indent: str, out: list[str]) -> None:  # noqa: ANN401
    match item.kind:
        case "elements":
            for member in value:
                _writer(type(member))(member, member.TAG, indent, out)
        case "element":
            _writer(type(value))(value, item.name, indent, out)
        case "flag":
            if value:
                out.append(f"{indent}<{item.name}/>\n")
        case _:
            out.append(f"{indent}<{item.name}>{item.show(value)}</{item.name}>\n")
