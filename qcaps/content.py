"""Finds scenarios, benchmarks and figures by path, as pytest finds tests: drop a file in, and it counts.

A kind of content is a folder: `scenarios`, `bench/suites`, `bench/torn`, `reports/sections`. There are two
places for each: the user's own folder (`--content DIR`, with `scenarios/`, `bench/` or `reports/` in it), and
what ships with qcaps. Both are searched. A module of the user's may not have the name of one that ships, or
results would not tell them apart; of two data files the user's wins. Shipped content lies inside an installed
package (`qcaps/_content/<kind>`) or, in a checkout, beside the package.
"""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

from qcaps.bounded import check_bounded
from qcaps.errors import QcapsError, UsageError, unknown

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
_TOP = ("scenarios", "bench", "reports")
_PACKAGE = "qcaps_content"
_A = {"scenarios": "scenario", "bench/suites": "suite", "bench/torn": "torn suite", "reports": "section"}
_ABSENT = object()
LARGEST_FILE = 16 << 20
"""Bytes of a content file; a module, a style or a table of margins is far below."""


@dataclass(frozen=True)
class ContentFolders:
    """Where content is looked for: in a folder of the user's own (`--content`), if any, and in what ships."""

    own: Path | None = None

    def folders(self, kind: str) -> tuple[Path, ...]:
        """The folders that hold content of one kind, first wins.

        Raises UsageError when the user's own is no folder or holds none of the three kinds.
        """
        own = _users_own(kind, self.own) if self.own is not None else None
        return tuple(folder for folder in (own, _shipped(kind)) if folder is not None and folder.is_dir())

    def files(self, kind: str, pattern: str = "*.py") -> dict[str, Path]:
        """The content files by name (without suffix), sorted; names that begin with `_` are helpers."""
        found: dict[str, Path] = {}
        for folder in reversed(self.folders(kind)):
            for path in folder.glob(pattern):
                if path.is_file() and path.name != "__init__.py":
                    if path.stem in found:
                        raise QcapsError(
                            f"{path}: hides {found[path.stem]}, which ships with qcaps: rename yours"
                        )
                    found[path.stem] = path
        return {name: path for name, path in sorted(found.items()) if not name.startswith("_")}

    def find_file(self, kind: str, name: str) -> Path:
        """One data file by its path below the folder, for example ("reports", "style/qcaps.mplstyle")."""
        for folder in self.folders(kind):
            if (path := folder / name).is_file():
                return check_bounded(path, LARGEST_FILE)
        searched = ", ".join(str(folder) for folder in self.folders(kind)) or "no folder"
        raise QcapsError(f"{kind}/{name}: no such file (searched {searched})")

    def load(self, kind: str, name: str) -> ModuleType:
        """Import one content module, and no other; raises QcapsError naming file and line when it fails."""
        available = self.files(kind)
        if name not in available:
            raise unknown(_A.get(kind, f"module in {kind}/"), name, available)
        return _import(kind, name, available[name], self.folders(kind))

    def modules(self, kind: str, pattern: str = "*.py") -> dict[str, ModuleType]:
        """Import every content module whose file name matches, by name."""
        search = self.folders(kind)
        return {name: _import(kind, name, path, search) for name, path in self.files(kind, pattern).items()}


SHIPPED = ContentFolders()


def _users_own(kind: str, own: Path) -> Path:
    if not own.is_dir():
        raise UsageError(f"--content {own}: no such folder")
    if not any((own / one).is_dir() for one in _TOP):
        raise UsageError(f"--content {own}: holds none of {', '.join(f'{one}/' for one in _TOP)}")
    return own.resolve() / kind


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
    check_bounded(path, LARGEST_FILE)
    _ensure_parents(kind, search)
    spec = importlib.util.spec_from_file_location(full_name, path)
    if spec is None or spec.loader is None:
        raise QcapsError(f"{path}: not a Python module")
    module = importlib.util.module_from_spec(spec)
    # Registered before it runs: dataclasses and pickle look a class's module up by name.
    sys.modules[full_name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[full_name]
        raise fault(path, error, "cannot be loaded") from error
    return module


def declared(module: ModuleType, name: str, kind: Any, default: Any = _ABSENT) -> Any:  # noqa: ANN401  # any type
    """What a content module says under `name`, an instance of `kind`. Raises QcapsError naming the file."""
    value = getattr(module, name, default)
    if value is _ABSENT:
        raise QcapsError(f"{module.__file__}: declares no {name}; see CONTRIBUTING.md")
    if not isinstance(value, kind):
        raise QcapsError(f"{module.__file__}: {name}: expected {kind.__name__}, not {type(value).__name__}")
    return value


def call(module: ModuleType, function: Callable[[], T]) -> T:
    """What a function of a content module gives. Raises QcapsError naming file and line where it raises."""
    try:
        return function()
    except QcapsError:
        raise
    except (Exception, SystemExit) as error:
        raise fault(Path(str(module.__file__)), error, "failed") from error


def fault(path: Path, error: BaseException, what: str) -> QcapsError:
    """The one line for what a content module raised."""
    return QcapsError(f"{path}:{_line_at_fault(error, path)}: {what}: {type(error).__name__}: {error}")


def _ensure_parents(kind: str, search: tuple[Path, ...]) -> None:
    """Give content a package to live in, so that `from ._helper import x` finds its neighbours."""
    root = sys.modules.setdefault(_PACKAGE, ModuleType(_PACKAGE))
    root.__path__ = []
    full_name = _package(kind)
    parent = sys.modules.setdefault(full_name, ModuleType(full_name))
    parent.__path__ = [str(folder) for folder in search]


def _package(kind: str) -> str:
    return f"{_PACKAGE}.{kind.replace('/', '_')}"


def _line_at_fault(error: BaseException, path: Path) -> int:
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
