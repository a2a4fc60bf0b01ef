"""What a command keeps of its plan in its folder, so that the same command goes on after any end.

`{"identity": …, "finished": …}`; the identity is all that must be the same for a plan to be gone on with.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from qcaps.bounded import read_json
from qcaps.files import replace_file

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_SHOWN = 60


def read(path: Path) -> dict[str, Any] | None:
    """What `write` wrote; None if there is nothing, or nothing of ours."""
    try:
        found = read_json(path)
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and isinstance(found.get("identity"), dict) else None


def write(path: Path, identity: Mapping[str, Any], *, finished: bool) -> None:
    """Keep the plan's identity, and whether it is carried out. Raises QcapsError."""
    replace_file(path, json.dumps({"identity": identity, "finished": finished}, indent=2) + "\n")


def difference(then: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """What two identities differ in, in words: `pairs 20, now 5`; "" where they are the same."""
    return "; ".join(
        f"{name} {_brief(then.get(name))}, now {_brief(now.get(name))}"
        for name in sorted(then.keys() | now.keys())
        if then.get(name) != now.get(name)
    )


def _brief(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
