"""The plan of a class: for every field where its value lies in the XML, how it is read and spelt."""

from __future__ import annotations

import dataclasses
import inspect
import re
import types
from collections.abc import Callable
from typing import Annotated, Any, Literal, NamedTuple, Union, cast, get_args, get_origin, get_type_hints

from qcaps.domainxml.element import (
    LIBVIRT,
    Choose,
    Element,
    Hex,
    Name,
    Newer,
    Node,
    Read,
    Show,
    ValuePlace,
    Words,
    WriteOrder,
    fields_of,
)
from qcaps.release import DEFAULT, Release

_NUMBER = re.compile(r"\s*(-?\d{1,20}|0[xX][0-9a-fA-F]{1,16})\s*", re.ASCII)
_TEXT_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "'": "&apos;", '"': "&quot;", "\r": "&#13;"}
_IN_TEXT = str.maketrans(_TEXT_ESCAPES)
_IN_ATTRIBUTE = str.maketrans(_TEXT_ESCAPES | {"\n": "&#10;", "\t": "&#9;"})  # else read back as spaces
_BASE = frozenset(field.name for field in fields_of(Element))

Kind = Literal["attribute", "text", "child text", "flag", "element", "elements"]


class Field(NamedTuple):
    """One field of a class."""

    field: str
    name: str  # in the XML; "" for a tuple, whose members name themselves
    kind: Kind
    required: bool
    parse: Callable[[str], Any] = str
    show: Callable[[Any], str] = str
    members: tuple[type[Element], ...] = ()
    choose: Callable[[Node], type[Element] | None] | None = None
    last: bool = False
    newer: Newer | None = None
    words: tuple[str, ...] = ()  # of a Literal

    def under(self, release: Release) -> Field | None:
        """The field as libvirt of that release reads it; None where it does not know it."""
        newer = self.newer
        if newer is not None and release < newer.release and not newer.words:
            return None
        if not self.words:
            return self
        unknown = newer.words if newer is not None and release < newer.release else ()
        known = tuple(word for word in self.words if word not in unknown)
        return self._replace(parse=_one_of({word: word for word in known}, f" (libvirt {release}.0)"))

    @property
    def takes_empty(self) -> bool:
        """Whether an empty text says something: what has words of its own for it."""
        if self.parse is str:
            return False
        try:
            self.parse("")
        except ValueError:
            return False
        return True

    @property
    def tags(self) -> tuple[str, ...]:
        """The child elements the field takes."""
        return (self.name,) if self.name else tuple(member.TAG for member in self.members)


_plans: dict[type[Element], tuple[Field, ...]] = {}


def plan_of(cls: type[Element]) -> tuple[Field, ...]:
    """The fields of `cls` in the order they are written."""
    plan = _plans.get(cls)
    if plan is None:
        plan = _plans[cls] = tuple(sorted(_fields(cls), key=lambda item: item.last))
    return plan


_names: dict[tuple[type[Element], Release], frozenset[str]] = {}


def xml_names(cls: type[Element], release: Release = DEFAULT) -> frozenset[str]:
    """The child elements that `cls` declares to libvirt of that release, by their names in the XML."""
    names = _names.get((cls, release))
    if names is None:
        names = _names[cls, release] = frozenset(
            tag
            for item in plan_of(cls)
            if item.kind not in ("attribute", "text") and item.under(release) is not None
            for tag in item.tags
        )
    return names


def _fields(cls: type[Element]) -> list[Field]:
    hints = get_type_hints(cls, include_extras=True)
    fields = {field.name: field for field in fields_of(cls) if field.name not in _BASE}
    # a kind's own fields first, then what it shares: libvirt ends a device with <alias> and <address>
    own_first = dict.fromkeys(name for base in cls.__mro__ for name in inspect.get_annotations(base))
    return [
        _field(name, hints[name], required=fields[name].default is dataclasses.MISSING)
        for name in own_first
        if name in fields
    ]


def _field(field: str, hint: Any, *, required: bool) -> Field:  # noqa: ANN401  # a type form
    notes: list[Any] = []
    hint = _plain(hint, notes)
    said: dict[type, Any] = {type(note): note for note in notes}  # of two, the outer one counts
    name = said[Name].name if Name in said else field
    place = said.get(ValuePlace)
    kind, members = _shape(hint, place)
    if members:
        return Field(
            field,
            "" if kind == "elements" else name,
            kind,
            required,
            members=members,
            choose=said[Choose].choose if Choose in said else None,
            last=WriteOrder in said,
            newer=said.get(Newer),
        )
    if kind == "flag":
        return Field(field, name, kind, required, last=WriteOrder in said, newer=said.get(Newer))
    words = said.get(Words, Words.YES_NO)
    parse = said[Read].parse if Read in said else _parser(hint, words)
    show = said[Show].show if Show in said else _shower(hint, words, said.get(Hex), place)
    spelt = get_args(hint) if get_origin(hint) is Literal and Read not in said else ()
    last, newer = WriteOrder in said, said.get(Newer)
    return Field(field, name, kind, required, parse, show, last=last, newer=newer, words=spelt)


def _shape(hint: Any, place: ValuePlace | None) -> tuple[Kind, tuple[type[Element], ...]]:  # noqa: ANN401
    if get_origin(hint) is tuple:
        member = get_args(hint)[0]
        return "elements", get_args(member) if _is_union(member) else (member,)
    if dataclasses.is_dataclass(hint):
        return "element", (cast("type[Element]", hint),)
    if _is_union(hint):
        return "element", get_args(hint)
    kinds: dict[ValuePlace | None, Kind] = {
        None: "attribute",
        ValuePlace.TEXT: "text",
        ValuePlace.CHILD: "child text",
        ValuePlace.FLAG: "flag",
    }
    return kinds[place], ()


def _is_union(hint: Any) -> bool:  # noqa: ANN401  # a type form
    return get_origin(hint) in (Union, types.UnionType)


def _plain(hint: Any, notes: list[Any]) -> Any:  # noqa: ANN401  # a type form
    """The bare type of `hint`; collects its annotations and drops `| None`."""
    while True:
        if get_origin(hint) is Annotated:
            hint, *more = get_args(hint)
            notes.extend(more)
        elif _is_union(hint) and types.NoneType in get_args(hint):
            hint = Union[tuple(one for one in get_args(hint) if one is not types.NoneType)]  # noqa: UP007  # of a computed tuple
        else:
            return hint


def number(text: str) -> int:
    """The integer in `text`, decimal or 0x…; raises ValueError."""
    if not (match := _NUMBER.fullmatch(text)):
        raise ValueError(f"'{text[:40]}' is not a number")
    digits = match[1]
    return int(digits, 16) if digits[:2] in ("0x", "0X") else int(digits)


def escape(text: str) -> str:
    """`text` safe inside an attribute."""
    return text.translate(_IN_ATTRIBUTE)


def escape_text(text: str) -> str:
    """`text` safe between tags."""
    return text.translate(_IN_TEXT)


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

    return _one_of(allowed, "" if hint is bool else f" ({LIBVIRT})")


def _one_of(allowed: dict[str, Any], whose: str) -> Callable[[str], Any]:
    def parse(text: str) -> Any:  # noqa: ANN401  # bool or one of the words
        try:
            return allowed[text]
        except KeyError:
            known = ", ".join(sorted(allowed))
            raise ValueError(f"'{text[:40]}' is not one of {known}{whose}") from None

    return parse


def _shower(hint: Any, words: Words, digits: Hex | None, place: ValuePlace | None) -> Callable[[Any], str]:  # noqa: ANN401  # a type form
    if hint is int:
        return str if digits is None else f"0x{{:0{digits.digits}x}}".format
    if hint is bool:
        return lambda value: words.value[0] if value else words.value[1]
    if get_origin(hint) is Literal:
        return str
    return escape if place is None else escape_text
