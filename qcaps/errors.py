"""The two ways qcaps fails; both become one line on standard error in `qcaps.commands.main`.

QcapsError            something is wrong with the input or the machine (exit status 1)
└── UsageError        the command was called wrongly (exit status 2)
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

# controls but the end of a line, marks that turn or hide what is beside them, halves of pairs, no characters
_UNSEEN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\uffff]"
    r"|[\ud800-\udfff]"
)


class QcapsError(Exception):
    """A failure a user can act on: one line that names the file, the place in it, and what to do.

    `file` is named first where the text itself does not begin with it.
    """

    exit_status = 1
    file = ""

    def __str__(self) -> str:
        return self._with_file(super().__str__())

    def _with_file(self, text: str) -> str:
        return one_line(text if text.startswith(self.file) else f"{self.file}: {text}")


class UsageError(QcapsError):
    """The command line cannot be carried out as given."""

    exit_status = 2


def one_line(text: str, most: int = 1000) -> str:
    """`text` as one printable line of at most `most` characters: whatever a file says, it says it in one."""
    printable = text.encode("utf-8", "backslashreplace").decode()
    line = "".join(char if char.isprintable() else " " for char in printable)
    return line if len(line) <= most else f"{line[: most // 2]} … {line[3 - most // 2 :]}"


def visible(text: str) -> str:
    r"""`text` with what cannot be seen spelt (`\x1b`): a terminal may read it, or XML may have to hold it.

    Ends of lines stay, for they end lines.
    """
    return _UNSEEN.sub(lambda found: found[0].encode("unicode_escape", "surrogatepass").decode(), text)


def meant(word: str, known: Iterable[str]) -> str:
    """`; did you mean 'once'?` where `word` is nearly one of those there are, else nothing."""
    import difflib  # only a mistyped word pays for it

    near = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def unknown(kind: str, name: str, known: Iterable[str]) -> UsageError:
    """The error for a name that there is not: what was probably meant, and what there is."""
    known = tuple(known)
    return UsageError(f"no {kind} {name!r}{meant(name, known)}; choose from {', '.join(known) or 'none'}")
