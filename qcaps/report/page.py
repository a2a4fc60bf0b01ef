"""The report: one page that needs nothing, a summary for a pull request, figures and numbers as files."""

from __future__ import annotations

import base64
import html
import json
import re
import shlex
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from qcaps import __version__
from qcaps.bounded import read_bounded
from qcaps.content import SHIPPED, ContentFolders
from qcaps.errors import QcapsError, visible
from qcaps.files import replace_file
from qcaps.measure.cell import BASELINE
from qcaps.report import escaping, figures, summary, terms
from qcaps.report.section import Absent, Section, absent, failure, present, sections
from qcaps.report.svg import PageLook
from qcaps.report.table import marked

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from jinja2 import Environment

    from qcaps.report.figures import Drawn
    from qcaps.report.section import Download
    from qcaps.report.sources import Sources

PAGE, SUMMARY, NUMBERS = "report.html", "summary.md", "summary.json"
_WORDS = "words"
_FILES = re.compile(r'<meta name="qcaps-files" content="(?P<names>[^"]*)">')
_VARIABLE = re.compile(r"(?P<name>--[a-z0-9-]+):\s*(?P<colour>#[0-9a-fA-F]{6})")


@dataclass(frozen=True)
class PageReport:
    """What was written, and what could not be shown."""

    files: tuple[Path, ...]
    shown: tuple[str, ...]
    missing: tuple[Absent, ...]


def build(
    sources: Sources,
    directory: Path,
    content: ContentFolders = SHIPPED,
    baseline: str = BASELINE,
    only: Sequence[str] = (),
) -> PageReport:
    """Write the report into a folder that exists, of all sections or of `only` those named.

    `baseline` is that of the numbers in `summary.json`; the sections have their own. Raises QcapsError if it
    cannot be written, UsageError for a section there is not.
    """
    found = sections(sources, content, only)
    style = content.find_file("reports", "templates/report.css").read_text(encoding="utf-8")
    words = terms.read(content)
    drawn, found = _draw(found, directory, PageLook(_colours(style), terms.hints(words)), content)
    shown, missing = present(found), tuple(one for one in absent(found) if one.why)
    numbers = summary.to_json(summary.speedups(sources.results, baseline))
    given: dict[str, Any] = {
        "sources": sources,
        "marked": marked(sources.results),
        "shown": shown,
        "missing": missing,
        "drawn": drawn,
        "parts": _parts(shown),
        "style": style,
        "script": content.find_file("reports", "templates/report.js").read_text(encoding="utf-8"),
        "version": __version__,
        "data_uri": _data_uri,
    }
    explained = words if any(section.name == _WORDS for section in shown) else ()
    templates = environment(content)
    templates.filters["hinted"] = lambda text: terms.hinted(visible(text), explained)
    templates.filters["hint"] = terms.hints(explained).get
    templates.globals["redraw"] = lambda section: _redraw(sources, section)
    older = _written_before(directory)
    files = [path for one in drawn.values() for path in one.files]
    names = [*(path.name for path in files), SUMMARY, NUMBERS]
    given["files"] = [*names, *(link.name for section in shown for link in section.content.links)]
    for name, text in (
        (PAGE, templates.get_template("report.html.j2").render(given)),
        (SUMMARY, templates.get_template("summary.md.j2").render(given)),
        (NUMBERS, json.dumps(numbers, indent=2) + "\n"),
        *((link.name, link.text) for section in shown for link in section.content.links),
    ):
        path = directory / name
        replace_file(path, text)
        files.append(path)
    for name in older - {path.name for path in files}:
        (directory / name).unlink(missing_ok=True)
    return PageReport(tuple(files), tuple(section.name for section in shown), missing)


def _written_before(directory: Path) -> set[str]:
    """The names of the files that an older report wrote into the folder, as its page says."""
    try:
        page = read_bounded(directory / PAGE).decode(errors="replace")
    except (OSError, QcapsError):
        return set()
    found = _FILES.search(page)
    names = html.unescape(found["names"]).split() if found else []
    return {name for name in names if name not in (".", "..") and "/" not in name}


def _draw(
    found: Sequence[Section | Absent], directory: Path, look: PageLook, content: ContentFolders
) -> tuple[dict[str, Drawn], tuple[Section | Absent, ...]]:
    """Figures by section, and the sections again: one that cannot be drawn is absent."""
    drawn: dict[str, Drawn] = {}
    still: list[Section | Absent] = []
    for section in found:
        if isinstance(section, Section) and section.draw is not None:
            try:
                drawn[section.name] = figures.draw(section, directory, look, content)
            except QcapsError:
                raise
            except Exception as error:  # noqa: BLE001  # a user's own module, or results nobody thought of
                still.append(failure(section.name, section.heading, error))
                continue
        still.append(section)
    return drawn, tuple(still)


def _parts(shown: Sequence[Section]) -> list[tuple[str, list[Section]]]:
    """Neighbours of one part of the page together."""
    return [(part, list(own)) for part, own in groupby(shown, key=lambda section: section.part)]


def _redraw(sources: Sources, section: Section) -> str:
    """The command that draws one section again, from the files this page was drawn from."""
    return shlex.join(("qcaps", "report", *sources.names, "--section", section.name))


def _colours(style: str) -> dict[str, str]:
    """The style's variables by the colour they have in the light: the first declaration of each counts."""
    found: dict[str, str] = {}
    names: set[str] = set()
    for match in _VARIABLE.finditer(style):
        if match["name"] not in names:
            names.add(match["name"])
            found.setdefault(match["colour"].lower(), match["name"])
    return found


def _data_uri(link: Download) -> str:
    encoded = base64.b64encode(link.text.encode()).decode()
    return f"data:{link.media_type};base64,{encoded}"


def environment(content: ContentFolders) -> Environment:
    """What fills in the templates: all text is escaped, and what cannot be seen is spelt."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape  # 40 ms

    folders = [folder / "templates" for folder in content.folders("reports")]
    templates = Environment(
        loader=FileSystemLoader(folders),
        autoescape=select_autoescape(("html", "html.j2")),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        # markup is what a template made itself, of text that came through here
        finalize=lambda value: visible(value) if type(value) is str else value,
    )
    templates.filters["markdown"] = escaping.markdown
    return templates
