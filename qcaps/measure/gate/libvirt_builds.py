"""A revision of libvirt, built by the user's own command, as a subject.

The command runs in a worktree of the revision, by the shell, with $QCAPS_PREFIX naming an empty folder that
it may install to. What it leaves is looked for there and in the worktree: a prefix or a build tree. Where
ccache is installed, it is between the command and the compiler.
"""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qcaps.git import checking_out
from qcaps.measure.cell import LIBVIRT
from qcaps.measure.gate import builds
from qcaps.measure.gate.checkout import BuildError, commit_of, left_behind, run_step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from qcaps.live.host.installation import Installation

LONGEST_SECONDS = 3600.0
_DRIVER = "libvirt_driver_qemu.so"
_DECLARED = (
    ("meson.build", re.compile(r"project\(\s*'libvirt'[^)]*?\bversion:\s*'([0-9.]+)'", re.DOTALL)),
    ("configure.ac", re.compile(r"AC_INIT\(\[libvirt\],\s*\[([0-9.]+)\]")),
)
_COMPILERS = ("cc", "gcc", "clang", "c++", "g++", "clang++")
_LEFTOVERS = (".o", ".a", ".gch")


@dataclass(frozen=True)
class Recipe:
    """How a revision is built: a command of the shell, the seconds it may take, the GB builds may have."""

    command: str
    seconds: float = LONGEST_SECONDS
    most_gb: float = builds.MOST_GB


@dataclass(frozen=True)
class BuiltLibvirt:
    """A revision that is built: its commit, the subject that it is, the version it says it is."""

    commit: str
    subject: str
    version: str


def built(
    who: str, revision: str, repository: Path, recipe: Recipe, *, place: Path, say: Callable[[str], None]
) -> BuiltLibvirt:
    """The libvirt of a revision, built unless its build is kept below `place`.

    `who` names it in errors, as in "--head-rev main". Raises UsageError for a revision there is not,
    BuildError for one that does not build.
    """
    commit = commit_of(who, revision, repository)
    called = builds.name_by(recipe.command, commit)

    def make(folder: Path) -> dict[str, Any]:
        took = builds.last_seconds(place, called)
        last = f"; the last one took {took:.0f} s" if took else ""
        named = commit[:12] if commit.startswith(revision) else f"{revision} ({commit[:12]})"
        say(f"building {named}: {recipe.command}{last}")
        return _make(who, commit, repository, recipe, folder=folder, say=say)

    folder = builds.kept(place, called, repository, say, make=make, most_gb=recipe.most_gb)
    facts = builds.told(folder)
    return BuiltLibvirt(commit, f"{LIBVIRT}:{folder / facts['root']}", facts["version"])


def _make(
    who: str, commit: str, repository: Path, recipe: Recipe, *, folder: Path, say: Callable[[str], None]
) -> dict[str, Any]:
    tree, prefix = folder / builds.TREE, folder / builds.PREFIX
    prefix.mkdir()
    with left_behind(who, commit, repository, tree):
        step = ["sh", "-c", recipe.command]
        environment = _environment(repository, folder)
        run_step(who, step, environment, recipe.seconds, folder=tree, say=say)
        found, root = _found(who, folder)
        _check_version(who, tree, found)
        shown = str(root.relative_to(folder))
    if root.is_relative_to(prefix):
        shutil.rmtree(tree)
    else:
        _strip(tree)
    shutil.rmtree(folder / _WRAPPERS, ignore_errors=True)
    return {"what": f"libvirt {found.version_name}", "version": found.version_name, "root": shown}


def _found(who: str, folder: Path) -> tuple[Installation, Path]:
    """The libvirt below a folder: the installed one, else the one built last. Raises BuildError."""
    from qcaps.live.errors import NoLibvirt
    from qcaps.live.host.installation import check_loadable, find

    why = f"it leaves no {_DRIVER} in its worktree or in $QCAPS_PREFIX"
    for driver in _drivers(folder):
        for root in _roots(driver, folder):
            try:
                found = find(root)
                check_loadable(found)
            except NoLibvirt as error:
                why = str(error)
                continue
            for file in (found.driver, found.library):
                if not file.resolve().is_relative_to(folder.resolve()):
                    raise BuildError(f"{who}: builds something else: {file} is {file.resolve()}")
            return found, root
    raise BuildError(f"{who}: builds no libvirt: {why}")


def _roots(driver: Path, folder: Path) -> list[Path]:
    """The folders below `folder` that may be the prefix or the build tree of a driver, the nearest first."""
    above = [one for one in driver.parents if one.is_relative_to(folder) and one != folder]
    return [one.parent for one in above if one.name in ("src", "lib", "lib64")]


def _drivers(folder: Path) -> Iterator[Path]:
    found = [path for path in folder.rglob(_DRIVER) if path.is_file()]
    prefix = folder / builds.PREFIX
    yield from sorted(found, key=lambda one: (not one.is_relative_to(prefix), -one.stat().st_mtime))


def _check_version(who: str, tree: Path, found: Installation) -> None:
    """Raise BuildError for another version than the source says it is."""
    for name, pattern in _DECLARED:
        path = tree / name
        said = pattern.search(path.read_text(errors="replace")) if path.is_file() else None
        if said and said[1] != found.version_name:
            raise BuildError(
                f"{who}: builds something else: {found.library} is libvirt {found.version_name}, {name} says"
                f" {said[1]}"
            )


_WRAPPERS = "ccache"


def _environment(repository: Path, folder: Path) -> dict[str, str]:
    """The command's: git as we run it, and ccache between it and the compiler where there is one."""
    found = checking_out(repository)
    for name in ("GIT_ALLOW_PROTOCOL", "GIT_NO_LAZY_FETCH"):  # a build may fetch its submodules
        found.pop(name)
    found["QCAPS_PREFIX"] = str(folder / builds.PREFIX)
    if ccache := shutil.which("ccache"):
        wrappers = folder / _WRAPPERS
        wrappers.mkdir()
        for name in filter(shutil.which, _COMPILERS):
            (wrappers / name).symlink_to(ccache)
        found["PATH"] = f"{wrappers}{os.pathsep}{found.get('PATH', os.defpath)}"
        # Each revision is built in a folder of its own; what was compiled is the same for all that.
        found |= {"CCACHE_BASEDIR": str(folder), "CCACHE_NOHASHDIR": "1"}
    return found


def _strip(tree: Path) -> None:
    """Leave what a build tree runs by: its libraries, and the source that these read tables from."""
    for path in tree.rglob("*"):
        if path.suffix in _LEFTOVERS and path.is_file() and not path.is_symlink():
            path.unlink()
