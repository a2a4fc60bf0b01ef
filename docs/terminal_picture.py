"""Draws what a command prints on a terminal of 80 columns.

    python docs/terminal_picture.py docs/run-quick.svg qcaps run --quick

The command is run, in a folder that is removed again; measure on a quiet machine.
"""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

COLUMNS = 80


def printed_by(command: list[str]) -> str:
    """What the command writes to standard output, which is a terminal; progress is not."""
    ours, theirs = pty.openpty()
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "COLUMNS": str(COLUMNS), "TERM": "xterm-256color", "HOME": folder}
        process = subprocess.Popen(
            command, stdout=theirs, stderr=subprocess.DEVNULL, cwd=folder, env=environment
        )
        os.close(theirs)
        said = b""
        while chunk := _read(ours):
            said += chunk
        process.wait()
    os.close(ours)
    return said.decode(errors="replace").replace("\r\n", "\n")


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # nobody writes any more
        return b""


def draw(command: list[str]) -> str:
    """The command and what it prints, as SVG."""
    with Path(os.devnull).open("w") as nowhere:
        console = Console(record=True, width=COLUMNS, file=nowhere, force_terminal=True)
        console.print(Text(f"$ {' '.join(command)}"))
        console.print(Text.from_ansi(printed_by(command)))
        return console.export_svg(title=" ".join(command), unique_id="qcaps")


if __name__ == "__main__":
    file, *words = sys.argv[1:]
    if not words:
        sys.exit(__doc__)
    Path(file).write_text(draw(words), encoding="utf-8")
