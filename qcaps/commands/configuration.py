"""What a project has said once: `qcaps.toml`, or `[tool.qcaps]` in pyproject.toml; what is typed wins.

    build = "meson setup build && ninja -C build"      for each command that has such an option
    guests = ["guests/web.xml", "disks"]
    export = ["markdown", "junit"]

    [gate]                                              for one command: any of its options, by its name
    output = "out/gate"

    [margins.default]                                   as bench/margins.toml has them
    margin = "5 %"

It is looked for in the current folder and, in a git work tree, above it up to the tree's root: nowhere that a
stranger may write. Paths are relative to the file.
"""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from qcaps.errors import UsageError, meant

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

OWN, SHARED_FILE = "qcaps.toml", "pyproject.toml"
EVERYWHERE: Final = (
    "suite", "guests", "margins", "build", "build-limit", "builds", "builds-limit", "export", "content",
    "scratch",
)  # fmt: skip
"""What may stand outside any table: said for all commands that have it."""
GUESTS, MARGINS = "guests", "margins"
_LARGEST = 1 << 20
_NEVER = ("help", "version")


class Said(list[Any]):
    """Several values from a configuration: what is typed takes their place, and is not added to them."""

    def __copy__(self) -> list[Any]:
        """Nothing: argparse copies a default before it adds to it."""
        return []


@dataclass(frozen=True)
class Setting:
    """A value in force: of which command ("" for all), its name, and the line that says so."""

    command: str
    name: str
    value: Any
    line: int


@dataclass(frozen=True)
class Configuration:
    """A file, and what it says."""

    path: Path
    settings: tuple[Setting, ...]

    def of(self, command: str, names: Iterable[str]) -> dict[str, Setting]:
        """What holds for a command that has options of these names; its own table before what is for all."""
        names = tuple(names)
        return {
            one.name: one
            for of in ("", command)
            for one in self.settings
            if one.command == of and one.name in names
        }

    def fault(self, setting: Setting, what: str) -> UsageError:
        """An error that names the line."""
        return UsageError(f"{self.path}:{setting.line}: {setting.name}: {what}")


def find(start: Path) -> Path | None:
    """The file that holds in the folder `start`; None if there is none. Raises UsageError."""
    start = start.absolute()
    root = next((one for one in (start, *start.parents) if (one / ".git").exists()), start)
    for folder in (start, *start.parents):
        if (folder / OWN).is_file():
            return folder / OWN
        shared = folder / SHARED_FILE
        if shared.is_file() and "qcaps" in _plain(shared).get("tool", {}):
            return shared
        if folder == root:
            break
    return None


def read(path: Path) -> Configuration:
    """What a file says. Raises UsageError that names its line."""
    plain, text = _plain(path), path.read_text(encoding="utf-8")
    within: tuple[str, ...] = ()
    if path.name == SHARED_FILE:
        within, plain = ("tool", "qcaps"), plain["tool"]["qcaps"]
        if not isinstance(plain, dict):
            raise UsageError(f"{path}:{_line(text, ('tool', 'qcaps'))}: tool.qcaps: expected a table")
    settings = []
    for name, value in plain.items():
        if isinstance(value, dict) and name != MARGINS:
            for key, own in value.items():
                settings.append(Setting(name, key, own, _line(text, (*within, name, key))))
        else:
            settings.append(Setting("", name, value, _line(text, (*within, name))))
    return Configuration(path, tuple(settings))


def apply(parser: argparse.ArgumentParser, command: str, known: Mapping[str, Any], start: Path) -> None:
    """Put what holds in the folder `start` in the place of the parser's defaults.

    `known` are the names of all commands. Raises UsageError for what is no command, no option, or no value.
    """
    path = find(start)
    if path is None:
        return
    found = read(path)
    check_tables(found, known)
    of_actions = [options_of(one) for one in with_actions(parser)]
    options = {name for some in of_actions for name in some}
    for setting in found.settings:
        if setting.command == command and setting.name not in options:
            raise found.fault(setting, f"qcaps {command} has no such option{meant(setting.name, options)}")
    for name, setting in found.of(command, options).items():
        for action in (some[name] for some in of_actions if name in some):
            action.default = _value(action, setting, found)
            action.required = False


def check_tables(found: Configuration, known: Iterable[str]) -> None:
    """Raise UsageError for a table that is no command's, and a key outside them that is not for all."""
    known = tuple(known)
    for one in found.settings:
        if one.command and one.command not in known:
            raise found.fault(one, f"[{one.command}] is no command{meant(one.command, known)}")
        if not one.command and one.name not in EVERYWHERE:
            hint = meant(one.name, (*EVERYWHERE, *known))
            raise found.fault(one, f"no such key{hint}; outside a table: {', '.join(EVERYWHERE)}")


def with_actions(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """A command's parser, and those of its actions."""
    yield parser
    for action in parser._actions:  # noqa: SLF001  # likewise
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001  # likewise
            yield from action.choices.values()


def options_of(parser: argparse.ArgumentParser) -> dict[str, argparse.Action]:
    """A parser's options by their long names, and its guests."""
    found = {}
    for action in parser._actions:  # noqa: SLF001  # argparse has no other list of them
        if action.option_strings and action.dest not in _NEVER:
            found[action.option_strings[-1].lstrip("-")] = action
        if action.dest == "what" and action.nargs == "*":
            found[GUESTS] = action
    return found


def _value(action: argparse.Action, setting: Setting, found: Configuration) -> Any:  # noqa: ANN401  # an option's
    """The value as the option's own type has it. Raises UsageError."""
    value, many = setting.value, action.nargs in ("*", "+")
    if setting.name == MARGINS and isinstance(value, dict):
        from qcaps.measure.gate.margins import from_plain

        return from_plain(f"{found.path}:{setting.line}", value)
    if isinstance(action.const, bool) and action.nargs == 0:
        if not isinstance(value, bool):
            raise found.fault(setting, f"expected true or false, not {value!r:.60}")
        return value
    values = value if many and isinstance(value, list) else [value]
    if not values or any(isinstance(one, bool | list | dict) for one in values):
        raise found.fault(
            setting, f"expected {'a list of texts' if many else 'one value'}, not {value!r:.60}"
        )
    made = [_one(action, str(one), setting, found) for one in values]
    return Said(made) if many else made[0]


def _one(action: argparse.Action, text: str, setting: Setting, found: Configuration) -> Any:  # noqa: ANN401  # likewise
    folder = found.path.parent
    if action.metavar in ("DIR", "FILE") or (setting.name == GUESTS and (folder / text).exists()):
        text = str(folder / Path(text).expanduser())
    if action.choices is not None and text not in action.choices:
        raise found.fault(setting, f"expected one of {', '.join(map(str, action.choices))}, not {text!r}")
    if not callable(action.type):
        return text
    try:
        return action.type(text)
    except (ValueError, argparse.ArgumentTypeError) as error:
        raise found.fault(setting, str(error)) from None


def _plain(path: Path) -> dict[str, Any]:
    import tomllib

    from qcaps.bounded import UnreadableError, read_bounded

    try:
        return tomllib.loads(read_bounded(path, _LARGEST).decode())
    except UnreadableError as error:
        raise UsageError(str(error)) from None
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: {error}") from error


_HEADER: Final = re.compile(r"\s*\[\[?\s*([^\]]+?)\s*\]")
_KEY: Final = re.compile(r"""\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=""")


def _line(text: str, key: tuple[str, ...]) -> int:
    """The line where a key or a table is named first; 1 where it is written in a way that hides it."""
    return next((number for number, named in _named(text) if named[: len(key)] == key), 1)


def _named(text: str) -> Iterator[tuple[int, tuple[str, ...]]]:
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            table = _parts(header[1])
            yield number, table
        elif key := _KEY.match(line):
            yield number, (*table, *_parts(key[1]))


def _parts(name: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in re.findall(r"""[\w-]+|"[^"]*"|'[^']*'""", name))
