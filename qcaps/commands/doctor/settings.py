"""What the configuration sets here, for which command, and by which line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qcaps.commands import configuration
from qcaps.commands.options import print_json
from qcaps.errors import visible


def show(*, as_json: bool) -> int:
    """Print what holds; the exit status. Raises UsageError for what is wrong with the file."""
    from qcaps.commands import COMMANDS, command_parser

    path = configuration.find(Path.cwd())
    found = configuration.read(path) if path else None
    rows: list[dict[str, Any]] = []
    for command in COMMANDS if found else ():
        parser = command_parser(command)
        configuration.apply(parser, command.name, {one.name: one for one in COMMANDS}, Path.cwd())
        assert found is not None
        options = {
            name for one in configuration.with_actions(parser) for name in configuration.options_of(one)
        }
        rows += [
            {"command": command.name, "name": name, "value": one.value, "line": one.line}
            for name, one in found.of(command.name, options).items()
        ]
    if as_json:
        print_json("configuration", {"file": str(path) if path else None, "settings": rows})
        return 0
    if found is None:
        names = f"{configuration.OWN}, nor [tool.qcaps] in {configuration.SHARED_FILE}"
        print(f"no configuration: no {names}, in {Path.cwd()} or above it in its git work tree")
        return 0
    print(visible(f"{path}: what is typed wins"))
    for row in rows:
        print(visible(f"  {row['command']:9} {row['name']} = {row['value']!r}  (line {row['line']})"))
    return 0
