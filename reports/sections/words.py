"""The words of the page, explained where they are needed: before the sections that use them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcaps.report import terms
from qcaps.report.section import Content

if TYPE_CHECKING:
    from qcaps.report.sources import Sources
    from qcaps.report.terms import Term

ORDER = 11
PART = "The reference"
HEADING = "The words"
MISSING = ""
TEMPLATE = "words.html.j2"


def data(sources: Sources) -> tuple[Term, ...] | None:
    """All of them, where anything else is shown."""
    return terms.read() if sources.results.measured or sources.gates or sources.torn else None


def content(value: tuple[Term, ...]) -> Content:
    """How they are used on the page."""
    return Content(f"{len(value)} words that this page uses; dotted underlines lead here.")
