"""What others named, made harmless for where it is shown: once, where a text leaves for its output.

A scenario's file, a results file and a domain may hold any name. What none of these outputs can show, or what
a terminal obeys, is spelt (`errors.visible`); what the output's own language means something by is escaped.
"""

from __future__ import annotations

import re
from typing import Final

from qcaps.errors import visible

_OF_MARKDOWN: Final = re.compile(r"[\\|<>&`*~$]|(?<!\w)_|_(?!\w)|(?<=\])\(|^[#+-](?= )")
_OF_FILES: Final = re.compile(r"[^\w.@+-]+", re.ASCII)
_ENTITIES: Final = {"<": "&lt;", ">": "&gt;", "&": "&amp;"}
_BEGINS_A_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def markdown(text: object) -> str:
    """A text within a line or a cell of GitHub's Markdown."""
    line = " ".join(visible(str(text)).split("\n"))
    return _OF_MARKDOWN.sub(lambda found: _ENTITIES.get(found[0], f"\\{found[0]}"), line)


def cell(value: object) -> object:
    """A value of a CSV file: a text that a spreadsheet would calculate is quoted as it wants it."""
    if not isinstance(value, str):
        return value
    return f"'{visible(value)}" if value.startswith(_BEGINS_A_FORMULA) else visible(value)


def file_name(text: str, most: int = 100) -> str:
    """A name for a file in our own folder: letters, digits and what harms nowhere."""
    return _OF_FILES.sub("_", text).strip(".")[:most] or "_"
