"""What a task does, counted: run by path in any version's interpreter, so nothing newer than it is imported.

    python -P doing.py < {"how": "calls" or "system calls", "directory": …, "cells": [[cell, xml], …]}

Each cell is prepared and warmed up, then its task is run in two windows. Of calls each window is counted by
function; of system calls it only shows, between two that ask for files there are not, in what strace writes.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qcaps.measure.cell import Cell
from qcaps.measure.subject import subject

if TYPE_CHECKING:
    from qcaps.measure.subject import PreparedCell

BEGIN, END = "/qcaps-begins", "/qcaps-ends"
WINDOWS, _WARM = 2, 3


def main() -> None:
    """Do what standard input asks, and answer with a list of windows for each cell."""
    asked = json.loads(sys.stdin.read())
    answer = []
    for number, (plain, xml) in enumerate(asked["cells"]):
        directory = Path(asked["directory"]) / str(number)
        directory.mkdir(parents=True)
        cell = Cell(**plain)
        arm = subject(cell.subject).prepare(cell, xml.encode(), directory)
        for _ in range(_WARM):
            arm.run()
            arm.reset()
        gc.collect()
        gc.disable()
        counted = _calls if asked["how"] == "calls" else _marked
        answer.append([counted(arm) for _ in range(WINDOWS)])
        gc.enable()
        arm.close()
    sys.stdout.write(json.dumps(answer))


def _calls(arm: PreparedCell) -> dict[str, int]:
    """The calls of one run by function; of C's by their own names."""
    found: Counter[str] = Counter()

    def on_event(frame: Any, event: str, what: Any) -> None:  # noqa: ANN401  # as the interpreter calls it
        if event == "call":
            found[f"{frame.f_globals.get('__name__', '?')}.{frame.f_code.co_qualname}"] += 1
        elif event == "c_call":
            module = getattr(what, "__module__", None)
            name = getattr(what, "__qualname__", repr(what))
            found[f"{module}.{name}" if module and module != "builtins" else name] += 1

    sys.setprofile(on_event)
    try:
        arm.run()
    finally:
        sys.setprofile(None)
    arm.reset()
    del found["sys.setprofile"]
    return dict(found)


def _marked(arm: PreparedCell) -> dict[str, int]:
    with suppress(OSError):
        os.stat(BEGIN)  # noqa: PTH116  # one system call
    arm.run()
    with suppress(OSError):
        os.stat(END)  # noqa: PTH116  # likewise
    arm.reset()
    return {}


if __name__ == "__main__":
    main()
