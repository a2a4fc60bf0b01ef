"""Edits of domain files, drawn at random: what people write and what nobody would, near what is known.

A mutant has one to three edits: an element or attribute deleted, an element doubled or moved among its
siblings, a child or attribute inserted that stands at the same path in another file, a value set that another
file has there, or a number that breaks what counts. The same files and seed make the same mutants.
"""

from __future__ import annotations

import copy
import random
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from lxml import etree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from lxml.etree import _Element as Node

HOSTILE: Final = (
    "", " ", "0", "1", "-1", "010", "0x10", "+1", " 1", "1 ", "1.5", "1e3", "none", "yes", "255", "256",
    "65535", "65536", "2147483647", "2147483648", "4294967295", "4294967296", "9223372036854775807",
    "18446744073709551615", "18446744073709551616",
)  # fmt: skip
"""Values at and beyond the edges of C's integers, and such as are nearly numbers."""

_MOST_EDITS: Final = 3
_HALF: Final = 0.5


@dataclass
class Seen:
    """What stands where in all the files, by path: children, attributes with their values, values alone."""

    children: dict[str, list[Node]] = field(default_factory=lambda: defaultdict(list))
    attributes: dict[str, list[tuple[str, str]]] = field(default_factory=lambda: defaultdict(list))
    values: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def learn(self, root: Node) -> None:
        """Take in what a file has."""
        for node in _elements(root):
            path = _path(node)
            self.children[path] += [child for child in node if isinstance(child.tag, str)]
            attributes = _attributes(node)
            self.attributes[path] += attributes
            for name, value in attributes:
                self.values[f"{path}@{name}"].append(value)
            if node.text and node.text.strip():
                self.values[path].append(node.text)


class Mutants:
    """The mutants of some domain files."""

    def __init__(self, files: Sequence[tuple[str, bytes]], seed: int) -> None:
        """`files` are names and contents; one that is no XML gives nothing."""
        self._seed = seed
        self._seen = Seen()
        self._bases: list[tuple[str, bytes]] = []
        for name, data in files:
            try:
                root = etree.fromstring(data, etree.XMLParser(remove_comments=True, remove_pis=True))
            except etree.XMLSyntaxError:
                continue
            self._bases.append((name, etree.tostring(root)))
            self._seen.learn(root)

    def __bool__(self) -> bool:
        return bool(self._bases)

    def at(self, number: int) -> tuple[str, bytes]:
        """The name and the contents of the mutant of that number, which depend on no other mutant."""
        chance = random.Random(f"{self._seed} {number}")  # to be the same again
        name, data = chance.choice(self._bases)
        root = etree.fromstring(data)
        for _ in range(chance.randint(1, _MOST_EDITS)):
            chance.choice(_EDITS)(chance.choice(list(_elements(root))), self._seen, chance)
        return f"{name}, mutant {number}", etree.tostring(root, encoding="utf-8")


def _delete(node: Node, _seen: Seen, chance: random.Random) -> None:
    if node.attrib and chance.random() < _HALF:
        del node.attrib[chance.choice(_attributes(node))[0]]
    else:
        _take_out(node)


def _double(node: Node, _seen: Seen, _chance: random.Random) -> None:
    if (parent := node.getparent()) is not None:
        parent.insert(parent.index(node) + 1, copy.deepcopy(node))


def _move(node: Node, _seen: Seen, chance: random.Random) -> None:
    if (parent := node.getparent()) is not None:
        _take_out(node)
        parent.insert(chance.randint(0, len(parent)), node)


def _insert(node: Node, seen: Seen, chance: random.Random) -> None:
    attributes, children = seen.attributes[_path(node)], seen.children[_path(node)]
    if attributes and chance.random() < _HALF:
        node.set(*chance.choice(attributes))
    elif children:
        node.insert(chance.randint(0, len(node)), copy.deepcopy(chance.choice(children)))


def _set(node: Node, seen: Seen, chance: random.Random) -> None:
    names: list[str | None] = [name for name, _ in _attributes(node)]
    if len(node) == 0:
        names.append(None)  # the text
    if not names:
        return
    name = chance.choice(names)
    known = seen.values[_path(node) if name is None else f"{_path(node)}@{name}"]
    value = chance.choice(known) if known and chance.random() < _HALF else chance.choice(HOSTILE)
    if name is None:
        node.text = value
    else:
        node.set(name, value)


_EDITS: Final[tuple[Callable[[Node, Seen, random.Random], None], ...]] = (
    _delete, _double, _move, _insert, _insert, _set, _set,
)  # fmt: skip


def _elements(root: Node) -> Iterator[Node]:
    return root.iter(etree.Element)


def _attributes(node: Node) -> list[tuple[str, str]]:
    return [(str(name), str(value)) for name, value in node.items()]


def _path(node: Node) -> str:
    """The tags from the root on: what is allowed there hangs on them."""
    return "/".join(str(one.tag) for one in (*reversed([*node.iterancestors()]), node))


def _take_out(node: Node) -> None:
    if (parent := node.getparent()) is not None:
        parent.remove(node)
