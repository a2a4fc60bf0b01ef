"""The commands as a page of the documentation, made from their parsers."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from qcaps.commands import COMMANDS, command_parser

if TYPE_CHECKING:
    from collections.abc import Iterator


def markdown() -> str:
    """A section for each command, and one below it for each of its actions."""
    return "\n".join(line for command in COMMANDS for line in _section(command_parser(command), 2))


def _section(parser: argparse.ArgumentParser, level: int) -> Iterator[str]:
    yield f"{'#' * level} {parser.prog}\n"
    yield f"{_text(parser.description or '')}\n"
    yield f"```text\n{_usage(parser)}\n```\n"
    nested = []
    rows = []
    for action in parser._actions:  # noqa: SLF001  # there is no public list of them
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001  # likewise
            nested += list(action.choices.values())
        elif action.help != argparse.SUPPRESS and action.dest not in ("help", "version"):
            rows.append(f"| {_name(action)} | {_cell(_help(parser, action))} |")
    if rows:
        yield "| argument | meaning |\n|---|---|"
        yield from rows
        yield ""
    if parser.epilog:
        yield f"```text\n{parser.epilog}\n```\n"
    for one in nested:
        yield from _section(one, level + 1)


def _usage(parser: argparse.ArgumentParser) -> str:
    return parser.format_usage().removeprefix("usage: ").rstrip()


def _name(action: argparse.Action) -> str:
    metavar = action.metavar or (
        f"{{{','.join(map(str, action.choices))}}}" if action.choices else action.dest.upper()
    )
    shown = metavar[0] if isinstance(metavar, tuple) else metavar
    if not action.option_strings:
        return f"`{_cell(shown)}`"
    value = "" if action.nargs == 0 else f" {_cell(shown)}"
    return ", ".join(f"`{flag}{value}`" for flag in action.option_strings)


def _help(parser: argparse.ArgumentParser, action: argparse.Action) -> str:
    formatter = parser._get_formatter()  # noqa: SLF001  # nothing public fills in %(default)s
    return formatter._expand_help(action) if action.help else ""  # noqa: SLF001  # likewise


def _text(text: str) -> str:
    return text.replace("<", "\\<").replace("*", "\\*")


def _cell(text: str) -> str:
    return _text(text).replace("|", "\\|").replace("\n", " ")
