"""What a command says of a long wait, which depends on how busy the machine is."""

from __future__ import annotations

import re

_WAITING = re.compile(r"qcaps: (?:[\d.e+]+ of [\d.e+]+ done in |at work for |\d+ jobs to measure: )")


def but_progress(said: str) -> str:
    """Standard error without the lines of progress, and of how long it will take."""
    return "".join(line for line in said.splitlines(keepends=True) if not _WAITING.match(line))
