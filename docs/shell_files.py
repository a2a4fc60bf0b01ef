"""What a shell has of a program beside the program: completions and man pages, made from the parsers.

python docs/shell_files.py FOLDER      writes them below FOLDER, as they lie below /usr
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qcaps import __version__
from qcaps.cache.validity import VALIDITIES
from qcaps.commands import COMMANDS, command_parser, whole_parser
from qcaps.commands.parser import Parser
from qcaps.lookups.policy import POLICIES
from qcaps.measure.cell import TASKS
from qcaps.measure.suite import names as suites
from qcaps.scenario import names as scenarios

if TYPE_CHECKING:
    from collections.abc import Iterator

COMPLETIONS = {
    "bash": "share/bash-completion/completions/qcaps",
    "zsh": "share/zsh/site-packages/_qcaps",
    "fish": "share/fish/vendor_completions.d/qcaps.fish",
}
_WORDS = {
    "policy": tuple(one.name for one in POLICIES),
    "baseline": tuple(one.name for one in POLICIES),
    "validity": tuple(one.name for one in VALIDITIES),
    "task": TASKS,
    "scenario": scenarios(),
    "grow": scenarios(),
    "suite": suites(),
}
"""What may stand after an option, by its destination; more may than is offered, as disks@pc."""


def files() -> dict[str, str]:
    """The text of each file, by its path below /usr."""
    return {**completions(), **man_pages()}


def completions() -> dict[str, str]:
    """A file for each shell."""
    import shtab

    parser = whole_parser()
    for one in _all(parser):
        for action in one._actions:  # noqa: SLF001  # there is no public list of them
            _offer(action, shtab)
    return {path: shtab.complete(parser, shell=shell) for shell, path in COMPLETIONS.items()}


def man_pages() -> dict[str, str]:
    """One for the program, and one for each command and each action of one, as in qcaps-run(1)."""
    from argparse_manpage.manpage import Manpage

    found = {}
    parsers = [whole_parser(), *(one for command in COMMANDS for one in _all(command_parser(command)))]
    for parser in parsers:
        name = parser.prog.replace(" ", "-")
        said = (parser.description or "").splitlines()[0].rstrip(".:")
        about = {
            "description": said,
            "project_name": "qcaps",
            "version": __version__,
            "manual_title": "qcaps",
        }
        page = Manpage(parser, _data=about)
        page.prog = name
        page.date = ""  # the same text from the same parsers, on any day
        # a line that begins with a quotation mark would call a macro
        found[f"share/man/man1/{name}.1"] = re.sub(r"^'", r"\\(aq", f"{page}\n", flags=re.MULTILINE)
    return found


def _all(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """A parser, those of its actions, and theirs."""
    yield parser
    for action in parser._actions:  # noqa: SLF001  # likewise
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001  # likewise
            for one in action.choices.values():
                yield from _all(one)


def _offer(action: argparse.Action, shtab: Any) -> None:  # noqa: ANN401  # a module without types
    """Say what may stand for an argument: words, files or folders."""
    if action.choices is None and action.dest in _WORDS and action.nargs != 0:
        action.choices = _WORDS[action.dest]
    elif action.choices is None and action.metavar is not None and action.nargs != 0:
        kind = shtab.DIRECTORY if action.metavar == "DIR" else shtab.FILE if _is_path(action) else None
        if kind is not None:
            action.complete = kind  # type: ignore[attr-defined]  # where shtab looks


def _is_path(action: argparse.Action) -> bool:
    reads = getattr(action.type, "__name__", "")
    return (
        action.type is Path
        or reads in ("domain_file", "existing_path", "program")
        or action.metavar == "WHAT"
    )


def write(folder: Path) -> dict[str, Path]:
    """Write all files below `folder`; where each is, by its path below /usr."""
    found = {}
    for path, text in files().items():
        file = found[path] = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return found


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):  # noqa: PLR2004  # its own name, and FOLDER
        sys.exit(f"{Parser(prog='shell_files.py', usage=__doc__).format_help()}")
    write(Path(sys.argv[1]))
