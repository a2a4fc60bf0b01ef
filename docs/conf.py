"""Sphinx: this folder as a site (`tox -e docs`)."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import command_reference  # type: ignore[import-not-found]  # noqa: E402  # beside this file

import qcaps  # noqa: E402

project = "qcaps"
release = version = qcaps.__version__
copyright = "the qcaps authors, LGPL-2.1-or-later"  # noqa: A001  # as Sphinx calls it
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"qcaps {release}"
html_show_sphinx = False
html_static_path = ["site.css"]
html_css_files = ["site.css"]
myst_heading_anchors = 3
autodoc_typehints = "none"
autodoc_member_order = "bysource"
default_role = "code"
highlight_language = "text"
smartquotes = False

_PLACED = re.compile(r"^[\w-]+$", re.MULTILINE)
_OTHERS = "<!-- every other page -->"
_COMMANDS = "<!-- commands -->"
_OUTSIDE = re.compile(r"(?<!!)\[([^\]]+)\]\((\.\./[^)#]+)(#[^)]*)?\)")
_WHOLE = re.compile(r"<!-- the file (\S+) -->")
_INDEXES = ("index", "how-to", "reference", "explanation")


def _prepare(_app: Any, name: str, source: list[str]) -> None:  # noqa: ANN401  # Sphinx's
    """What a page has on the site alone: commands from the parsers, and the pages nobody has placed."""
    text = _WHOLE.sub(lambda file: (HERE / file[1]).read_text().replace("](docs/", "]("), source[0])
    if _COMMANDS in text:
        text = text.replace(_COMMANDS, command_reference.markdown())
    if _OTHERS in text:
        text = text.replace(_OTHERS, "\n".join(_not_placed()))
    source[0] = _OUTSIDE.sub(lambda link: _in_repository(name, link), text)


def _not_placed() -> list[str]:
    placed = {word for index in _INDEXES for word in _PLACED.findall((HERE / f"{index}.md").read_text())}
    return sorted({page.stem for page in HERE.glob("*.md")} - placed - {"index"})


def _in_repository(name: str, link: re.Match[str]) -> str:
    """A link out of this folder, as its text and where the file lies; it has to be there."""
    path = (HERE / link[2]).resolve()
    if not path.exists():
        raise FileNotFoundError(f"{name}.md links to {link[2]}, which is not there")
    place = path.relative_to(HERE.parent)
    return link[1] if str(place) in link[1] else f"{link[1]} (`{place}` in the repository)"


def setup(app: Any) -> None:  # noqa: ANN401  # likewise
    """Sphinx calls this."""
    app.connect("source-read", _prepare)
