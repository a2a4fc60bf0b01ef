"""What the stand-ins share: the folder they lie in, and how one is refused."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NoReturn

from qcaps.live.errors import NotStartable

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from lxml.etree import _Element

MIB: Final = 1 << 20


@dataclass
class Work:
    """The work on one domain. What is in the folder from an earlier start is used again."""

    folder: Path
    given: Counter[str] = field(default_factory=Counter)

    def place(self, kind: str, suffix: str = "") -> Path:
        """A path of its own, at which nothing is made."""
        number = self.given[kind]
        self.given[kind] += 1
        return self.folder / f"{kind}-{number}{suffix}"

    def file(self, kind: str, size: int, content: bytes = b"") -> str:
        """An empty file of `size` bytes, which takes no room, or one with a beginning."""
        path = self.place(kind)
        if not path.exists() or path.stat().st_size != size:
            with path.open("wb") as file:
                file.write(content)
                file.truncate(size)
            path.chmod(0o666)
        return str(path)

    def directory(self, kind: str) -> str:
        """An empty folder."""
        path = self.place(kind)
        path.mkdir(exist_ok=True)
        path.chmod(0o777)
        return str(path)


def refuse(element: _Element, why: str) -> NoReturn:
    """Raise NotStartable for an element. The user's own values are not said: errors stand in results."""
    tag = str(element.tag).rpartition("}")[2]
    raise NotStartable(f"line {element.sourceline or 0}: <{tag}>: not started: {why}")


def drop(element: _Element, tags: Iterable[str]) -> None:
    """Remove the children of these tags."""
    for tag in tags:
        for found in element.findall(tag):
            element.remove(found)


def keep(element: _Element, tags: Iterable[str]) -> None:
    """Remove the children of all other tags."""
    kept = frozenset(tags)
    for found in list(element):
        if found.tag not in kept:
            element.remove(found)


def keep_attributes(element: _Element, names: Iterable[str]) -> None:
    """Remove all other attributes."""
    kept = frozenset(names)
    for name in list(element.attrib):
        if str(name) not in kept:
            del element.attrib[name]


def unset(element: _Element, *names: str) -> None:
    """Remove these attributes."""
    for name in names:
        element.attrib.pop(name, "")


def emptied(element: _Element) -> None:
    """Remove everything in the element and on it."""
    element.text = None
    element.attrib.clear()
    for child in list(element):
        element.remove(child)


def add(element: _Element, tag: str, attributes: dict[str, str]) -> _Element:
    """A new child at the end."""
    child = element.makeelement(tag, attributes)
    element.append(child)
    return child
