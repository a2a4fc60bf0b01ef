"""Arms from git revisions: a worktree each, its package installed into a folder of its own.

Both arms of a gate run on this interpreter and its libraries, each with a copy of its qcaps in a folder made
alike: an installed head beside a base in a virtual environment differs in more than the version. Builds are
kept by commit and Python version below the user's cache folder, so that the base of the next gate is there
already.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import qcaps
from qcaps.errors import UsageError
from qcaps.git import neutral_environment
from qcaps.measure.gate import builds
from qcaps.measure.gate.arms import Arm, ArmError, MismatchError, plain_environment
from qcaps.measure.gate.checkout import checked_out, commit_of, run_step
from qcaps.measure.subject import is_libvirt

if TYPE_CHECKING:
    from collections.abc import Callable

    from qcaps.measure.gate.libvirt_builds import Recipe

_BUILD_SECONDS = 1200

# Asked of every arm: what it imports as qcaps, and when that last changed.
_IDENTIFY = """\
import json, pathlib, qcaps
root = pathlib.Path(qcaps.__file__).parent
stamps = [path.stat().st_mtime_ns for path in root.rglob("*.py")]
found = {"version": qcaps.__version__, "place": str(root), "newest": max(stamps), "files": len(stamps)}
print(json.dumps(found))
"""


@dataclass(frozen=True)
class ArmSource:
    """How the user named an arm: by a revision, by an interpreter, or by neither (this very qcaps).

    `subject` is what it measures; "" is what each cell says. With a `recipe` the revision is a libvirt's,
    which this qcaps measures. `who` names it in errors (default: the option).
    """

    name: str
    revision: str | None = None
    python: str | None = None
    subject: str = ""
    recipe: Recipe | None = None
    who: str = ""


def arm_from(source: ArmSource, repository: Path, place: Path, say: Callable[[str], None]) -> Arm:
    """The arm ready to be timed. Raises UsageError, or BuildError for a revision that does not build."""
    if source.revision is not None:
        return _arm_from_revision(source, repository, place, say)
    if source.python is not None:
        python = shutil.which(source.python)
        if python is None:
            raise UsageError(f"--{source.name}-python {source.python}: no such program")
        return Arm(source.name, python, python)
    version = "this qcaps"
    if is_libvirt(source.subject):
        from qcaps.measure.subjects.libvirt import described  # lxml, subprocess

        version = described(source.subject)
    elif source.subject:
        version = f"{source.subject} of this qcaps"
    return Arm(source.name, sys.executable, version, _home(), subject=source.subject)


def alike(arm: Arm, folder: Path) -> Arm:
    """The arm with a copy of its qcaps in `folder`, compiled, and nothing else there. Raises ArmError.

    Compiled here and in one way: what pip compiles and what an import does lie otherwise in memory, and where
    nothing may be written (PYTHONDONTWRITEBYTECODE) each process would compile anew.
    """
    place = Path(identity(arm)["place"])
    shutil.rmtree(folder, ignore_errors=True)
    copied = folder / place.name
    shutil.copytree(place, copied, ignore=shutil.ignore_patterns("__pycache__", "_content"))
    compiling = [arm.python, "-m", "compileall", "-q", "-s", str(folder), str(copied)]
    done = subprocess.run(compiling, capture_output=True, text=True, check=False, env=plain_environment())
    if done.returncode != 0:
        last = (done.stdout + done.stderr).strip().splitlines()[-1:] or ["no message"]
        raise ArmError(f"{arm.name} ({arm.version}): does not compile: {last[0]}")
    return replace(arm, path=str(folder))


def identity(arm: Arm) -> dict[str, Any]:
    """What an arm is, so that a gate is gone on with only if neither changed.

    Raises ArmError, and MismatchError for a path without qcaps, where the interpreter's own would come next.
    """
    environment = plain_environment()
    if arm.path:
        environment["PYTHONPATH"] = arm.path
    try:
        done = subprocess.run(
            [arm.python, "-P", "-c", _IDENTIFY], capture_output=True, text=True, check=True, env=environment
        )
    except subprocess.CalledProcessError as error:
        last = (error.stderr.strip().splitlines() or ["no message"])[-1]
        raise ArmError(f"{arm.name} ({arm.version}): qcaps cannot be imported: {last}") from None
    except OSError as error:
        raise ArmError(f"{arm.name}: {arm.python}: cannot be run: {error.strerror or error}") from error
    found = json.loads(done.stdout)
    if arm.path and not Path(found["place"]).resolve().is_relative_to(Path(arm.path).resolve()):
        raise MismatchError(f"{arm.name} ({arm.version}): has no qcaps in {arm.path}")
    if is_libvirt(arm.subject):
        from qcaps.measure.subjects.libvirt import installation  # lxml, subprocess

        found["libvirt"] = installation(arm.subject).driver.stat().st_mtime_ns
    return {"version": arm.version, **found}


def default_builds() -> Path:
    """Where builds are kept: $XDG_CACHE_HOME/qcaps/builds."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "qcaps" / "builds"


def _arm_from_revision(source: ArmSource, repository: Path, place: Path, say: Callable[[str], None]) -> Arm:
    name, revision = source.name, source.revision or ""
    who = source.who or f"--{name}-rev {revision}"
    if source.recipe is not None:
        from qcaps.measure.gate import libvirt_builds

        one = libvirt_builds.built(who, revision, repository, source.recipe, place=place, say=say)
        version = f"{_named(revision, one.commit)}, libvirt {one.version}"
        return Arm(name, sys.executable, version, _home(), subject=one.subject)
    commit = commit_of(who, revision, repository)

    def make(folder: Path) -> dict[str, Any]:
        say(f"building {name}: {_named(revision, commit)}")
        _build(who, commit, repository, folder, say)
        return {"what": "qcaps"}

    folder = builds.kept(place, builds.name(commit), repository, say, make=make)
    return Arm(name, sys.executable, _named(revision, commit), str(folder / builds.PACKAGES))


def _named(revision: str, commit: str) -> str:
    """A revision as its user calls it, and its commit, where that says more."""
    return commit[:12] if commit.startswith(revision) else f"{revision} {commit[:12]}"


def _home() -> str:
    """Where this qcaps lies."""
    return str(Path(qcaps.__file__).resolve().parent.parent)


def _build(who: str, commit: str, repository: Path, folder: Path, say: Callable[[str], None]) -> None:
    tree, venv = folder / builds.TREE, folder / "venv"

    def run(step: list[str]) -> None:
        run_step(who, step, neutral_environment(), _BUILD_SECONDS, folder=folder, say=say)

    with checked_out(who, commit, repository, tree):
        python = sys.executable
        if importlib.util.find_spec("pip") is None:
            run([python, "-m", "venv", str(venv)])
            python = str(venv / "bin" / "python")
        pip = [python, "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--no-deps"]
        run([*pip, "--target", str(folder / builds.PACKAGES), str(tree)])
    shutil.rmtree(venv, ignore_errors=True)
