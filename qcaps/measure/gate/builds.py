"""The folder of builds: one process at a time works in it, what was left half is removed, the oldest go.

Who builds or removes holds the folder's lock; who uses a build holds a lock on it until it ends. Whatever
ends a process frees both.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import platform
import re
import shutil
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qcaps.bounded import read_json
from qcaps.files import make_folder
from qcaps.git import git

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MOST_GB = 10.0
"""What all builds may take; one of qcaps takes some 3 MB, or 240 MB where the revision has large files."""
# Named for what it vouches for: folders of an earlier kind lie under the same names.
BUILT, PACKAGES, TREE, PREFIX = "packages-built", "packages", "tree", "prefix"
_LOCK = ".lock"
_NAME = re.compile(r"[0-9a-f]{16}-(py[0-9][0-9A-Za-z.+]*|[0-9a-f]{12})")
"""As `name` and `name_by` make them."""
_DECIDES = ("CC", "CFLAGS", "CPPFLAGS", "LDFLAGS", "PKG_CONFIG_PATH", "PKG_CONFIG_LIBDIR")
"""Variables that make another build of the same command."""
_GB = 1e9
_MAKING_SECONDS = 60  # git needs some thousandths to say where a worktree is
_in_use: list[int] = []
"""Descriptors that hold what this process uses, for as long as it lives."""


@dataclass(frozen=True)
class Build:
    """A revision that was built; `used` is when it last was asked for, in seconds since 1970.

    `what` it is and the `seconds` it took are "" and 0 where the build does not say.
    """

    folder: Path
    used: float
    size: int
    what: str = ""
    seconds: float = 0.0


def name(commit: str) -> str:
    """The name of the folder of a commit's build: a build is for one version of Python."""
    return f"{commit[:16]}-py{platform.python_version()}"


def name_by(command: str, commit: str) -> str:
    """The same of a build by a command: another command, or another compiler, makes another."""
    decides = (command, *(f"{one}={os.environ.get(one, '')}" for one in _DECIDES))
    return f"{commit[:16]}-{hashlib.sha256(chr(0).join(decides).encode()).hexdigest()[:12]}"


def kept(
    builds: Path,
    called: str,
    repository: Path,
    say: Callable[[str], None],
    *,
    make: Callable[[Path], dict[str, Any]],
    most_gb: float = MOST_GB,
) -> Path:
    """The folder of the build `called` so, made unless it is there, and kept while this process lives.

    One that is there waits for nobody's turn: it is held, or just gone, whoever removes at the moment.
    `make` fills the folder, and returns what is worth to be known of it (`told`); where it fails, nothing is
    left of it, in the folder or in the repository.
    """
    folder = builds.absolute() / called
    if (folder / BUILT).exists():
        with suppress(OSError):  # removed meanwhile: it is made anew
            use(folder)
            return folder
    with taking_turns(builds, say):
        if not (folder / BUILT).exists():
            forget_worktrees(repository, builds)
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            begins = time.monotonic()
            try:
                facts = make(folder)
                facts = {"seconds": round(time.monotonic() - begins, 1), **facts}
                (folder / BUILT).write_text(json.dumps(facts), encoding="utf-8")
            except BaseException:
                shutil.rmtree(folder, ignore_errors=True)
                raise
        use(folder)
        for one in prune(builds, most_gb):
            say(f"removed a build last used long ago: {one.folder}")
    return folder


def told(folder: Path) -> dict[str, Any]:
    """What a build says of itself; nothing where it says nothing."""
    with suppress(OSError, ValueError):
        found = read_json(folder / BUILT)
        if isinstance(found, dict):
            return found
    return {}


def last_seconds(builds: Path, called: str) -> float:
    """How long the last build took that was made as the one `called` so would be; 0 where there was none."""
    how = called.partition("-")[2]
    made = [one for one in listed(builds) if one.folder.name.partition("-")[2] == how and one.seconds]
    return made[0].seconds if made else 0.0


def listed(builds: Path) -> list[Build]:
    """All builds, the one used last first."""
    found = []
    for folder in builds.iterdir() if builds.is_dir() else ():
        with suppress(OSError):
            used, facts = (folder / BUILT).stat().st_mtime, told(folder)
            what, seconds = str(facts.get("what", "")), float(facts.get("seconds", 0))
            found.append(Build(folder, used, _size(folder), what, seconds))
    return sorted(found, key=lambda one: one.used, reverse=True)


@contextmanager
def taking_turns(builds: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Alone in the folder, what was left half removed; who has to wait says so. Raises QcapsError."""
    descriptor = os.open(make_folder(builds) / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"{builds}: another gate builds there: waiting for it")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        for folder in builds.iterdir():
            if folder.is_dir() and not folder.is_symlink() and _is_half(folder):
                shutil.rmtree(folder, ignore_errors=True)
        yield
    finally:
        os.close(descriptor)


def use(folder: Path) -> None:
    """Keep a build from being removed until this process ends. Raises OSError for one that is gone."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    _in_use.append(descriptor)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    os.utime(folder / BUILT)


def prune(builds: Path, most_gb: float = MOST_GB) -> list[Build]:
    """Remove builds until the others take no more than `most_gb`, and say which. To be called in turn.

    The one used longest ago goes first, and none that is in use.
    """
    removed = []
    found = listed(builds)
    size = sum(one.size for one in found)
    for one in reversed(found):
        if size <= most_gb * _GB:
            break
        if _removed(one.folder):
            removed.append(one)
            size -= one.size
    return removed


def forget_worktrees(repository: Path, builds: Path) -> None:
    """Take back from `repository` the worktrees of gates that were killed. To be called in turn.

    Killed while it makes one, git leaves it locked, so that no `git worktree prune` removes it, and before it
    has said where it is, not even listed.
    """
    done = git(repository, "worktree", "list", "--porcelain", "-z")
    for line in done.stdout.split("\0"):
        word, _, path = line.partition(" ")
        if word == "worktree" and path.startswith(f"{builds.resolve()}/"):
            git(repository, "worktree", "remove", "--force", "--force", path)
    kept = git(repository, "rev-parse", "--path-format=absolute", "--git-path", "worktrees")
    for entry in Path(kept.stdout.strip()).glob("tree*") if kept.returncode == 0 else ():
        if (entry / "locked").is_file() and _names_no_place(entry, builds):
            shutil.rmtree(entry, ignore_errors=True)


def _names_no_place(entry: Path, builds: Path) -> bool:
    """Whether git was killed before it wrote all of a worktree's entry, and it is one of ours."""
    with suppress(OSError):
        place = (entry / "gitdir").read_text()
        return place.startswith(f"{builds.resolve()}/")
    age = time.time() - entry.stat().st_mtime
    return age > _MAKING_SECONDS and (entry / "locked").read_text().startswith("initializing")


def _is_half(folder: Path) -> bool:
    """Whether a folder is a build of ours that is not whole; a user's folder may hold other things."""
    if _NAME.fullmatch(folder.name) is None:
        return False
    parts = (TREE, "venv", PACKAGES, PREFIX)
    return not (folder / BUILT).exists() and any((folder / one).exists() for one in parts)


def _removed(folder: Path) -> bool:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        (folder / BUILT).unlink()  # first: killed from here on, it is half
        shutil.rmtree(folder, ignore_errors=True)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def _size(folder: Path) -> int:
    return sum(path.lstat().st_blocks * 512 for path in folder.rglob("*"))
