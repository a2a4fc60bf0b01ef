"""How much slower is too slow, kept with the benchmarks: `bench/margins.toml`.

[default]
delta = "1 %"       a regression is more than this of the base
margin = "3 %"      what is surely less than this passes

[benchmark."simple/1 define ctime once"]      by the name of a benchmark, or of "… slope", "… intercept"
margin = "5 %"
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

from qcaps.bounded import UnreadableError, read_bounded
from qcaps.errors import UsageError
from qcaps.measure.gate.verdict import Margins

if TYPE_CHECKING:
    from pathlib import Path

_KNOWN = tuple(one.name for one in fields(Margins))
_PERCENT = re.compile(r"(\d+(?:\.\d+)?) ?%")
_LARGEST_PERCENT = 1000
_LARGEST_FILE = 1 << 20


@dataclass(frozen=True)
class MarginTable:
    """Margins by benchmark."""

    default: Margins = field(default_factory=Margins)
    own: dict[str, Margins] = field(default_factory=dict)

    def of(self, name: str) -> Margins:
        """The margins of the series called `name`."""
        return self.own.get(name, self.default)


def read(path: Path) -> MarginTable:
    """The margins in a file. Raises UsageError naming the file and the entry."""
    try:
        plain = tomllib.loads(read_bounded(path, _LARGEST_FILE).decode())
    except UnreadableError as error:
        raise UsageError(str(error)) from None
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: {error}") from error
    return from_plain(str(path), plain)


def from_plain(path: str, plain: dict[str, Any]) -> MarginTable:
    """The margins as TOML has them, from what is called `path` in errors. Raises UsageError."""
    for section in plain.keys() - {"default", "benchmark"}:
        raise UsageError(f'{path}: [{section}]: expected [default] or [benchmark."NAME"]')
    default = _margins(path, "default", plain.get("default", {}), Margins())
    own = plain.get("benchmark", {})
    if not isinstance(own, dict):
        raise UsageError(f'{path}: benchmark: expected [benchmark."NAME"]')
    return MarginTable(default, {name: _margins(path, name, given, default) for name, given in own.items()})


def _margins(path: str, name: str, given: Any, start: Margins) -> Margins:  # noqa: ANN401  # TOML
    if not isinstance(given, dict) or given.keys() - set(_KNOWN):
        raise UsageError(f"{path}: {name!r}: expected {' and '.join(_KNOWN)}, found {given!r:.60}")
    found = replace(start, **{key: _share(path, name, key, value) for key, value in given.items()})
    if found.margin <= found.delta:
        margin, delta = (f"{100 * share:g} %" for share in (found.margin, found.delta))
        raise UsageError(f"{path}: {name!r}: margin {margin} must be more than delta {delta}")
    return found


def _share(path: str, name: str, key: str, value: object) -> float:
    """What `"3 %"` is: one unit everywhere, and no number that could be meant as another."""
    percent = _PERCENT.fullmatch(value) if isinstance(value, str) else None
    if percent is None or not 0 < float(percent[1]) < _LARGEST_PERCENT:
        raise UsageError(f'{path}: {name!r}: {key} = {value!r}: expected a percentage such as "3 %"')
    return float(percent[1]) / 100
