"""Sections of a report: modules in `reports/sections/`, found by path, in the order of their number.

A module declares

    ORDER = 30                               where it stands; the least comes first
    HEADING = "Time against device count"
    MISSING = "…"                            what to measure so that there is something to show; "" if
                                             nothing is amiss without it
    def data(sources: Sources) -> value or None      what is shown, computed; None if there is nothing
    def content(value) -> Content            the same in words and tables; its finding is a sentence
    def draw(value, figure) -> None          optional: a figure, as wide as it is handed in

and may set TEMPLATE to a template of its own, and PART to the part of the page it belongs to. The
look is `reports/style.mplstyle` and `reports/templates/`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qcaps.content import SHIPPED, ContentFolders
from qcaps.errors import QcapsError, unknown

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

    from qcaps.report.sources import Sources

TEMPLATE = "section.html.j2"
_DECLARED = ("ORDER", "HEADING", "MISSING", "data", "content")


@dataclass(frozen=True)
class Table:
    """Rows of text under headings. `left` headings are words, the others numbers; `bad` are (row, column).

    `folded` ones are shown when asked for; None: where the section has a figure.
    """

    caption: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    left: tuple[str, ...] = ()
    bad: frozenset[tuple[int, int]] = frozenset()
    folded: bool | None = None


@dataclass(frozen=True)
class Typed:
    """A command for the reader to type, and what it is for."""

    words: str
    command: str


@dataclass(frozen=True)
class Download:
    """Something to take away: a file's name, its kind, its text."""

    words: str
    name: str
    media_type: str
    text: str


@dataclass(frozen=True)
class Content:
    """A section in words. `description` tells what the figure shows to those who cannot see it."""

    finding: str
    description: str = ""
    notes: tuple[str, ...] = ()
    commands: tuple[Typed, ...] = ()
    tables: tuple[Table, ...] = ()
    links: tuple[Download, ...] = ()


@dataclass(frozen=True)
class Section:
    """A section that has something to show."""

    name: str
    heading: str
    template: str
    value: Any
    content: Content
    draw: Any = None
    part: str = ""


@dataclass(frozen=True)
class Absent:
    """A section that has nothing to show, and why."""

    name: str
    heading: str
    why: str
    failed: bool = False


def sections(
    sources: Sources, content: ContentFolders = SHIPPED, only: Sequence[str] = ()
) -> tuple[Section | Absent, ...]:
    """All sections in order, or `only` those named. One that fails is absent; the others stand.

    Raises UsageError for a name there is not.
    """
    modules = ordered(content)
    known = [name for name, _ in modules]
    for name in only:
        if name not in known:
            raise unknown("section", name, known)
    return tuple(_section(name, module, sources) for name, module in modules if not only or name in only)


def ordered(content: ContentFolders = SHIPPED) -> list[tuple[str, ModuleType]]:
    """The modules of all sections, by name, in order. Raises QcapsError for one that is none."""
    modules = []
    for name in content.files("reports/sections"):
        module = content.load("reports/sections", name)
        if not all(hasattr(module, one) for one in _DECLARED):
            raise QcapsError(f"{module.__file__}: a section declares {', '.join(_DECLARED)}")
        modules.append((module.ORDER, name, module))
    return [(name, module) for _, name, module in sorted(modules, key=lambda one: one[:2])]


def present(found: Sequence[Section | Absent]) -> tuple[Section, ...]:
    """Those with something to show."""
    return tuple(one for one in found if isinstance(one, Section))


def absent(found: Sequence[Section | Absent]) -> tuple[Absent, ...]:
    """Those without."""
    return tuple(one for one in found if isinstance(one, Absent))


def failure(name: str, heading: str, error: Exception) -> Absent:
    """The section that `error` came from, as one line."""
    step = error.__traceback__
    while step is not None and step.tb_next is not None:
        step = step.tb_next
    where = "" if step is None else f" ({step.tb_frame.f_code.co_filename}:{step.tb_lineno})"
    return Absent(name, heading, f"cannot be drawn: {type(error).__name__}: {error}{where}", failed=True)


def _section(name: str, module: ModuleType, sources: Sources) -> Section | Absent:
    try:
        value = module.data(sources)
        if value is None:
            return Absent(name, module.HEADING, module.MISSING)
        words = module.content(value)
    except Exception as error:  # noqa: BLE001  # results of any age, and a user's own modules: the rest stands
        return failure(name, module.HEADING, error)
    return Section(
        name,
        module.HEADING,
        getattr(module, "TEMPLATE", TEMPLATE),
        value,
        words,
        getattr(module, "draw", None),
        getattr(module, "PART", ""),
    )
