"""What the doctor says."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One line of the answer; `advice` is empty when `ok`, and else the command or setting that helps."""

    name: str
    ok: bool
    text: str
    advice: str = ""
