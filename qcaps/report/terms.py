"""The words a page explains: read once, and put as a hint wherever one of them is used."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qcaps.content import SHIPPED, ContentFolders
from qcaps.errors import QcapsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markupsafe import Markup

FILE = "data/words.json"


@dataclass(frozen=True)
class Term:
    """A word, what it means, and the forms it has in a sentence; `quoted` ones count in quotes only."""

    word: str
    means: str
    forms: tuple[str, ...]
    quoted: bool = False

    @property
    def anchor(self) -> str:
        """The id of its explanation on the page."""
        return "word-" + re.sub(r"[^a-z0-9]+", "-", self.word.lower())


def read(content: ContentFolders = SHIPPED) -> tuple[Term, ...]:
    """The words that the page explains, in reading order. Raises QcapsError for a file that has none."""
    path = content.find_file("reports", FILE)
    try:
        return tuple(
            Term(str(one["word"]), str(one["means"]), tuple(one["forms"]), bool(one.get("quoted", False)))
            for one in json.loads(path.read_text(encoding="utf-8"))
        )
    except (ValueError, LookupError, TypeError) as error:
        raise QcapsError(f"{path}: no list of words with 'word', 'means' and 'forms' ({error!r})") from error


def hints(terms: Sequence[Term]) -> dict[str, str]:
    """What a name that stands alone means, in a cell of a table or in a figure."""
    return {term.word: term.means for term in terms if term.quoted}


def hinted(text: str, terms: Sequence[Term]) -> Markup:
    """A text as HTML; the first use of each word leads to its explanation, and says it when pointed at."""
    from markupsafe import Markup, escape  # with jinja2, 40 ms

    known = {_key(term, form): term for term in terms for form in term.forms}
    if not known:
        return escape(text)
    pattern = re.compile(
        "|".join(rf"(?<![\w-]){re.escape(one)}(?![\w-])" for one in sorted(known, key=len, reverse=True))
    )
    parts: list[Markup] = []
    seen: set[str] = set()
    at = 0
    for found in pattern.finditer(text):
        term = known[found[0]]
        if term.word not in seen:
            seen.add(term.word)
            link = Markup('<a class="word" href="#{}" title="{}">{}</a>')
            parts += [escape(text[at : found.start()]), link.format(term.anchor, term.means, found[0])]
            at = found.end()
    return Markup("").join([*parts, escape(text[at:])])


def _key(term: Term, form: str) -> str:
    return f"'{form}'" if term.quoted else form
