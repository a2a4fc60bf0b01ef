"""What a user names, as domains: a scenario, a file, a folder of files, or standard input.

    for source in resolve("guests/", grow="disks"):
        print(source.name, source.digest(4), source.xml(4))

A scenario's name wins over a file of that name, unless the file is named with a slash or with `.xml`. A file
is read once; it holds what `virsh dumpxml` gives, of a running guest too. What cannot be used is one line
that names file and line; in a folder it is a source that refuses to make XML, so that no other is dropped.
"""

from __future__ import annotations

import hashlib
import os
import sys
from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from qcaps.content import SHIPPED, ContentFolders
from qcaps.errors import QcapsError, UsageError, unknown
from qcaps.guest_file import document_of, read_guest, text_of
from qcaps.scenario import names, scenario

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

STANDARD_INPUT = "-"
_DIGITS = 16
_LONGEST_NAME = 60


def resolve(name: str, content: ContentFolders = SHIPPED, *, grow: str = "") -> tuple[DomainSource, ...]:
    """The domains that `name` stands for; a file's with n more devices of the family `grow`.

    Raises QcapsError, UsageError where there is no such scenario, file or family.
    """
    return resolve_all((name,), content, grow=grow)


def resolve_all(
    wanted: Iterable[str], content: ContentFolders = SHIPPED, *, grow: str = ""
) -> tuple[DomainSource, ...]:
    """The domains of several names, each under a name of its own. Raises QcapsError, UsageError."""
    found = [source for name in wanted for source in _resolved(name, content, grow)]
    return tuple(_under_names_of_their_own(found, set(names(content))))


@dataclass(frozen=True, kw_only=True)
class DomainSource(ABC):
    """Domains that somebody named: `xml(n)` makes one, for n devices more or less.

    `name` is unique and fit for a cell. `origin` is the file as the user named it, or the scenario.
    `refusal` is "", or the line that says why there is no domain in the file; `xml` and `digest` raise it.
    """

    name: str
    arch: str
    origin: str
    refusal: str = ""

    @property
    @abstractmethod
    def steps(self) -> tuple[int, ...]:
        """The n worth measuring."""

    @abstractmethod
    def xml(self, n: int, seed: int = 0) -> str:
        """The domain for n, without an XML declaration. Raises UsageError where n is out of range."""

    def digest(self, n: int, seed: int = 0) -> str:
        """What names the domain in results: the first 16 digits of its SHA-256."""
        return _short_hash(self.xml(n, seed).encode())

    def beyond(self, n: int) -> str:
        """One line that says how far it grows, where n is more than that; else ""."""
        del n
        return ""


@dataclass(frozen=True, kw_only=True)
class FromScenario(DomainSource):
    """A scenario that ships, or the user's own."""

    content: ContentFolders = SHIPPED

    @property
    def steps(self) -> tuple[int, ...]:
        """As the scenario says."""
        return scenario(self.origin, self.content).steps

    def xml(self, n: int, seed: int = 0) -> str:
        """The scenario's domain."""
        return scenario(self.origin, self.content).xml(n, seed)


@dataclass(frozen=True, kw_only=True)
class FromFile(DomainSource):
    """A user's file, as it was when it was read."""

    data: bytes = field(repr=False)

    @property
    def steps(self) -> tuple[int, ...]:
        """The domain as it is."""
        return (0,)

    def xml(self, n: int, seed: int = 0) -> str:
        """The file's text; n must be 0."""
        del seed
        self._check()
        if n:
            raise UsageError(f"{self.origin}: n = {n}: a file grows by a family only: add --grow FAMILY")
        return text_of(self.data)

    def digest(self, n: int, seed: int = 0) -> str:
        """That of the file's bytes: `sha256sum FILE | cut -c -16`."""
        self.xml(n, seed)
        return _short_hash(self.data)

    def _check(self) -> None:
        if self.refusal:
            raise QcapsError(self.refusal)


@dataclass(frozen=True, kw_only=True)
class GrownFile(FromFile):
    """A user's file with n devices more, of one scenario's."""

    family: str
    content: ContentFolders = SHIPPED

    @cached_property
    def _steps(self) -> tuple[int, ...]:
        from qcaps.growing_limit import fitting  # the reference pipeline, only for who measures

        return () if self.refusal else fitting(self.data, self.family, self.content)

    @property
    def steps(self) -> tuple[int, ...]:
        """The file as it is, then the family's own n, as far as they fit on this domain."""
        return self._steps

    def beyond(self, n: int) -> str:
        """Found by trying on the reference, and only for a file that it takes as it is."""
        from qcaps.growing_limit import limit  # likewise

        if self.refusal or not n:
            return ""
        found = limit(self.data, self.family, content=self.content, most=n)
        return str(found) if 0 <= found.largest < n else ""

    def xml(self, n: int, seed: int = 0) -> str:
        """The file's domain with n devices more."""
        from qcaps.growing import grown  # likewise

        self._check()
        return grown(self.data, self.family, n, seed, self.content).decode() if n else text_of(self.data)

    def digest(self, n: int, seed: int = 0) -> str:
        """With n = 0 that of the file, else that of the XML."""
        return _short_hash(self.xml(n, seed).encode()) if n else super().digest(n, seed)


# ── what a name stands for ─────────────────────────────────────────────────────────────────────────


def _resolved(name: str, content: ContentFolders, grow: str) -> Iterator[DomainSource]:
    if name == STANDARD_INPUT:
        yield _of_data(_standard_input(), "standard input", "stdin", content, grow)
    elif _is_scenario(name, content):
        if grow:
            raise UsageError(f"--grow {grow}: the scenario {name} grows by itself: name a file")
        yield FromScenario(name=name, arch=scenario(name, content).arch, origin=name, content=content)
    elif (path := _path_of(name)) is None:
        raise unknown("scenario or file", name, names(content))
    elif path.is_dir():
        yield from _of_folder(path, content, grow)
    else:
        yield _of_data(read_guest(path), str(path), path.stem, content, grow)


def _is_scenario(name: str, content: ContentFolders) -> bool:
    return "/" not in name and not name.endswith(".xml") and name.partition("@")[0] in names(content)


def _path_of(name: str) -> Path | None:
    """The path, if there is anything at it; something that looks like one may also not be there."""
    try:
        path = Path(name)
        if name and (path.exists() or path.is_symlink() or "/" in name or name.endswith(".xml")):
            return path
    except ValueError:  # a NUL
        pass
    except OSError as error:
        raise UsageError(f"{name}: cannot be read: {error.strerror or error}") from None
    return None


@cache
def _standard_input() -> bytes:
    """What is on standard input, read once: whoever names it again gets the same domain."""
    if sys.stdin is None:
        raise UsageError("-: there is no standard input")
    return read_guest(sys.stdin.buffer)


def _of_folder(folder: Path, content: ContentFolders, grow: str) -> Iterator[DomainSource]:
    try:
        found = sorted(
            path for path in folder.glob("*.xml") if not path.is_dir() and not path.name.startswith(".")
        )
    except OSError as error:
        raise UsageError(f"{folder}: cannot be read: {error.strerror or error}") from None
    if not found:
        raise UsageError(f"{folder}: holds no *.xml file: name a folder of domains, or a file")
    sources = [_of_file_in_folder(path, content, grow) for path in found]
    if all(source.refusal for source in sources):
        raise QcapsError(f"{folder}: none of its {len(sources)} *.xml is a domain: {sources[0].refusal}")
    yield from sources


def _of_file_in_folder(path: Path, content: ContentFolders, grow: str) -> FromFile:
    try:
        return _of_data(read_guest(path), str(path), path.stem, content, grow)
    except UsageError:
        raise
    except QcapsError as error:
        return FromFile(name=path.stem, arch="", origin=str(path), refusal=str(error), data=b"")


def _of_data(data: bytes, origin: str, stem: str, content: ContentFolders, grow: str) -> FromFile:
    kind = document_of(data, origin).find("os/type")
    arch = (kind.get("arch") if kind is not None else None) or os.uname().machine
    if not grow:
        return FromFile(name=stem, arch=arch, origin=origin, data=data)
    _check_family(grow, content)
    return GrownFile(name=stem, arch=arch, origin=origin, data=data, family=grow, content=content)


def _check_family(family: str, content: ContentFolders) -> None:
    if "@" in family:
        raise UsageError(f"--grow {family}: the machine is the guest's own: {family.partition('@')[0]}")
    if family not in names(content):
        raise unknown("family of devices", family, names(content))


# ── what it is called ──────────────────────────────────────────────────────────────────────────────


def _under_names_of_their_own(sources: Sequence[DomainSource], scenarios: set[str]) -> Iterator[DomainSource]:
    """Files by their stem; by their path where two have the same; with a number where that is not enough."""
    stems: dict[str, int] = {}
    for source in sources:
        stem = _fit(source.name)
        stems[stem] = stems.get(stem, 0) + 1
    taken = {source.name for source in sources if isinstance(source, FromScenario)}
    for source in sources:
        if isinstance(source, FromScenario):
            yield source
            continue
        name = _fit(source.name)
        if stems[name] > 1:
            name = _fit(str(Path(source.origin).with_suffix("")))
        elif name in scenarios:
            name = _fit(f"{source.name}.xml")
        if isinstance(source, GrownFile):
            name = f"{_fit(name, _LONGEST_NAME - 1 - len(source.family))}+{source.family}"
        name = _not_in(taken, name)
        taken.add(name)
        yield replace(source, name=name)


def _fit(text: str, most: int = _LONGEST_NAME) -> str:
    """`text` as a cell's name may be: letters, digits, dots, dashes; without the middle where it is long."""
    words = "".join(char if char.isalnum() or char in "._-" else " " for char in text).split()
    name = "-".join(words).strip(".-") or "guest"
    return name if len(name) <= most else f"{name[: most // 2 - 1]}..{name[-(most // 2 - 1) :]}"


def _not_in(taken: set[str], name: str) -> str:
    number = 2
    free = name
    while free in taken:
        free = f"{name}-{number}"
        number += 1
    return free


def _short_hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:_DIGITS]
