"""Finds scenarios, benchmarks and figures by path, as pytest finds tests: drop a file in, and it counts.

A kind of content is a folder: `scenarios`, `bench/suites`, `bench/torn`, `reports/sections`. There are two
places for each: the user's own folder (`--content DIR`, with `scenarios/`, `bench/` or `reports/` in it), and
what ships with qcaps. Both are searched; of two files with the same name the user's wins. Shipped content
lies inside an installed package (`qcaps/_content/<kind>`) or, in a checkout, beside the package.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from qcaps.errors import QcapsError, UsageError

_TOP = ("scenarios", "bench", "reports")
_PACKAGE = "qcaps_content"


def folders(kind: str, extra: Path | None = None) -> tuple[Path, ...]:
    """The folders that hold content of one kind, first wins; `extra` is the value of `--content`.

    Raises UsageError when `extra` is no folder or holds none of the three kinds.
    """
    own = _users_own(kind, extra) if extra is not None else None
    return tuple(folder for folder in (own, _shipped(kind)) if folder is not None and folder.is_dir())


def files(kind: str, extra: Path | None = None, pattern: str = "*.py") -> dict[str, Path]:
    """The content files by name (without suffix), sorted; names beginning with `_` are private helpers."""
    found: dict[str, Path] = {}
    for folder in folders(kind, extra):
        for path in folder.glob(pattern):
            if not path.name.startswith("_") and path.is_file():
                found.setdefault(path.stem, path)
    return dict(sorted(found.items()))


def find_file(kind: str, name: str, extra: Path | None = None) -> Path:
    """One data file by its path below the folder, for example ("reports", "style/qcaps.mplstyle")."""
    for folder in folders(kind, extra):
        if (path := folder / name).is_file():
            return path
    searched = ", ".join(str(folder) for folder in folders(kind, extra)) or "no folder"
    raise QcapsError(f"{kind}/{name}: no such file (searched {searched})")


def load(kind: str, name: str, extra: Path | None = None) -> ModuleType:
    """Import one content module, and no other; raises QcapsError naming file and line when it fails."""
    available = files(kind, extra)
    if name not in available:
        raise UsageError(f"{kind}: nothing called {name!r}; there are {', '.join(available) or 'none'}")
    return _import(kind, name, available[name], folders(kind, extra))


def modules(kind: str, extra: Path | None = None, pattern: str = "*.py") -> dict[str, ModuleType]:
    """Import every content module whose file name matches, by name."""
    search = folders(kind, extra)
    return {name: _import(kind, name, path, search) for name, path in files(kind, extra, pattern).items()}


def _users_own(kind: str, extra: Path) -> Path:
    if not extra.is_dir():
        raise UsageError(f"--content {extra}: no such folder")
    if not any((extra / one).is_dir() for one in _TOP):
        raise UsageError(f"--content {extra}: holds none of {', '.join(f'{one}/' for one in _TOP)}")
    return extra.resolve() / kind


def _shipped(kind: str) -> Path:
    package = Path(__file__).resolve().parent
    # Only an installed package has _content. Looking there first keeps us from taking somebody else's
    # site-packages/bench for ours.
    installed = package / "_content"
    return (installed if installed.is_dir() else package.parent) / kind


def _import(kind: str, name: str, path: Path, search: tuple[Path, ...]) -> ModuleType:
    full_name = f"{_package(kind)}.{name}"
    known = sys.modules.get(full_name)
    if known is not None and known.__file__ == str(path):
        return known
    _ensure_parents(kind, search)
    spec = importlib.util.spec_from_file_location(full_name, path)
    if spec is None or spec.loader is None:
        raise QcapsError(f"{path}: not a Python module")
    module = importlib.util.module_from_spec(spec)
    # Registered before it runs: dataclasses and pickle look a class's module up by name.
    sys.modules[full_name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[full_name]
        line = _line_at_fault(error, path)
        raise QcapsError(f"{path}:{line}: cannot be loaded: {type(error).__name__}: {error}") from error
    return module


def _ensure_parents(kind: str, search: tuple[Path, ...]) -> None:
    """Give content a package to live in, so that `from ._helper import x` finds its neighbours."""
    root = sys.modules.setdefault(_PACKAGE, ModuleType(_PACKAGE))
    root.__path__ = []
    full_name = _package(kind)
    parent = sys.modules.setdefault(full_name, ModuleType(full_name))
    parent.__path__ = [str(folder) for folder in search]


def _package(kind: str) -> str:
    return f"{_PACKAGE}.{kind.replace('/', '_')}"


def _line_at_fault(error: Exception, path: Path) -> int:
    """The last line of the file itself that was running, or the line that does not parse."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return error.lineno or 1
    line = 1
    step = error.__traceback__
    while step is not None:
        if step.tb_frame.f_code.co_filename == str(path):
            line = step.tb_lineno
        step = step.tb_next
    return line
