"""What everything that is read from XML derives from, and the words its fields are annotated with."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable, Collection
from typing import Any, ClassVar, NamedTuple, TypeVar, cast, dataclass_transform

from lxml import etree

from qcaps.errors import QcapsError
from qcaps.release import Release

Node = etree._Element  # noqa: SLF001  # lxml-stubs names the element class only so
E = TypeVar("E", bound="Element")

LIBVIRT = "libvirt 9.0.0"
"""Whose words these are: what is newer it refuses, so a refusal of a word says so."""

_LINES_HELD = 65535  # libxml2 keeps a node's line in 16 bits
_HOPS = 64  # how far we look for a text


class ValuePlace(enum.Enum):
    """Where a value lies when it is no attribute."""

    TEXT = enum.auto()
    CHILD = enum.auto()
    FLAG = enum.auto()


class Words(enum.Enum):
    """How a boolean is spelt."""

    YES_NO = ("yes", "no")
    ON_OFF = ("on", "off")


class WriteOrder(enum.Enum):
    """Where a child element is written."""

    LAST = enum.auto()


class Name(NamedTuple):
    """The name in the XML, where it differs from the field's."""

    name: str


class Hex(NamedTuple):
    """Digits of a number that is written as 0x…"""

    digits: int


class Show(NamedTuple):
    """The function that spells a value, where `str` does not."""

    show: Callable[[Any], str]


class Read(NamedTuple):
    """The function that reads the text, where its words are narrower than those of the type."""

    parse: Callable[[str], Any]


class Newer(NamedTuple):
    """The release of libvirt that brought the field, or those of its words; unknown before."""

    release: Release
    words: tuple[str, ...] = ()


class Choose(NamedTuple):
    """Picks the class of a child element by its node, which has no attribute that says so; None: not read."""

    choose: Callable[[Node], type[Element] | None]


TEXT, CHILD, FLAG = ValuePlace.TEXT, ValuePlace.CHILD, ValuePlace.FLAG
ON_OFF = Words.ON_OFF
LAST = WriteOrder.LAST


class XmlError(QcapsError):
    """A node that its class cannot hold: line, path and reason."""

    def __init__(self, node: Node, why: str) -> None:
        self.line = line_of(node)
        self.path = path_of(node)
        self.why = why
        super().__init__(f"line {self.line}: {self.path}: {why}")


def path_of(node: Node) -> str:
    """The way to `node`, as in /domain/devices/disk[2]."""
    return str(node.getroottree().getpath(node))


def line_of(node: Node) -> int:
    """The line on which the start tag of `node` ends; 0 for a node that was not parsed.

    Beyond line 65535 libxml2 knows the lines of texts alone, so we count back from the end of the next one.
    Between the two, start tags that span lines and dropped comments lead astray.
    """
    line = _held_line(node)
    if line < _LINES_HELD:
        return line
    passed = 0  # newlines between the node and where we look
    for _ in range(_HOPS):
        is_element = isinstance(node.tag, str)
        if is_element and node.text:
            return _held_line(node) - node.text.count("\n") - passed
        if is_element and len(node):
            node = node[0]
            continue
        if not is_element:
            passed += (node.text or "").count("\n")
        if node.tail:
            return _held_line(node) - node.tail.count("\n") - passed
        while (following := node.getnext()) is None:
            parent = node.getparent()
            if parent is None:
                return line
            node = parent
            passed += (node.tail or "").count("\n")
        node = following
    return line


def _held_line(node: Node) -> int:
    return cast("int | None", node.sourceline) or 0


@dataclass_transform(frozen_default=True, kw_only_default=True)
class Element:
    """Base of everything the codec reads: where it stood, and what its class does not model.

    A class that derives from it is a frozen dataclass of keywords without being decorated. Its methods are
    the ones below, not generated ones: making six functions for each of 300 classes took most of the time
    of importing them.
    """

    TAG: ClassVar[str] = ""
    TYPE: ClassVar[str] = ""
    KEPT: ClassVar[frozenset[str]] = frozenset()
    """Children that no field declares and libvirt yet keeps."""
    MERGED: ClassVar[bool] = False
    """Whether several are read as one, as an XPath through them all does; else the first counts."""
    XPATH: ClassVar[bool] = False
    """Whether its attributes are read by XPath, which cannot tell an empty one from none."""
    ACROSS: ClassVar[tuple[str, ...]] = ()
    """The fields that are read so, where the others are those of the first element alone."""
    ONCE: ClassVar[frozenset[str]] = frozenset()
    """Children that libvirt refuses to see more often than there are fields of that name."""
    UNREAD: ClassVar[frozenset[str]] = frozenset()
    """Fields of its base that libvirt does not look for in it: whatever stands there, it passes over."""
    LAST_COUNTS: ClassVar[bool] = False
    """Whether of a child that is there twice the last counts."""

    line: int = 0
    unknown_attributes: tuple[tuple[str, str], ...] = ()
    unknown_children: tuple[bytes, ...] = ()

    def __init_subclass__(cls) -> None:
        _as_dataclass(cls)

    def __init__(self, **values: Any) -> None:  # noqa: ANN401  # the fields of any element
        own = self.__dict__
        for field in fields_of(type(self)):
            if field.name in values:
                own[field.name] = values.pop(field.name)
            elif field.default is dataclasses.MISSING:
                raise TypeError(f"{type(self).__name__} needs {field.name}")
            elif field.default is not None:  # what is made is written with its defaults, what is read without
                own[field.name] = field.default
        for name in values:
            raise TypeError(f"{type(self).__name__} has no field {name}")

    def __setattr__(self, name: str, value: object) -> None:
        raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")

    def __delattr__(self, name: str) -> None:
        raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self._said() == other._said()

    def __hash__(self) -> int:
        return hash((type(self), tuple(self._said().items())))

    def __repr__(self) -> str:
        said = ", ".join(f"{name}={value!r}" for name, value in self._said().items())
        return f"{type(self).__name__}({said})"

    def _said(self) -> dict[str, Any]:
        """The fields that differ from their defaults, in the order of the class; not where it stood."""
        cls, values = type(self), self.__dict__
        return {
            name: values[name]
            for name in (field.name for field in fields_of(cls))
            if name in values and name != "line" and values[name] != getattr(cls, name, dataclasses.MISSING)
        }

    @staticmethod
    def passed_over(node: Node) -> Collection[str]:  # noqa: ARG004  # for those that look
        """Attributes and children of `node` that libvirt does not look for there, for what else it says."""
        return ()

    def refusal(self) -> str:
        """Why attributes that are each right cannot stand together; "" where they can.

        Asked once, after reading: for what libvirt's parser itself refuses.
        """
        return ""


def _as_dataclass(cls: type[Element]) -> None:
    dataclasses.dataclass(init=False, repr=False, eq=False)(cls)


_as_dataclass(Element)


def of_others(table: dict[str, set[str]]) -> dict[str, frozenset[str]]:
    """For `passed_over`: of each kind in `table`, the names that are read of other kinds alone."""
    every = frozenset().union(*table.values())
    return {kind: every - own for kind, own in table.items()}


def fields_of(cls: type[Element]) -> tuple[dataclasses.Field[Any], ...]:
    """The fields of a class, those of `Element` first."""
    return dataclasses.fields(cls)  # type: ignore[arg-type]  # each class is one, undecorated


def evolve(element: E, **changes: Any) -> E:  # noqa: ANN401  # the fields of any element
    """A copy of `element` with `changes`; a tenth of the cost of `dataclasses.replace`."""
    new = object.__new__(type(element))
    values = new.__dict__
    values.update(element.__dict__)
    values.update(changes)
    return new
