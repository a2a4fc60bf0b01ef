"""A revision's files in a worktree, and the steps that build it there."""

from __future__ import annotations

import shutil
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from qcaps.child import run_guarded
from qcaps.errors import UsageError
from qcaps.git import checking_out, git
from qcaps.measure.gate.arms import ArmError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_LAST_LINES = 12
_TELL_SECONDS = 30.0
LEAST_FREE = 128 << 20
"""Bytes: a build is ended before the disk it fills has less than these."""


class BuildError(ArmError):
    """A revision that does not build; `lines` are the last the build said."""

    def __init__(self, message: str, lines: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.lines = lines


def commit_of(who: str, revision: str, repository: Path) -> str:
    """The commit that `who` calls `revision`. Raises UsageError."""
    try:
        done = git(repository, "rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}")
    except FileNotFoundError:
        raise UsageError(f"{who}: git is not installed") from None
    if done.returncode != 0:
        if "dubious ownership" in done.stderr:
            raise UsageError(
                f"{repository}: belongs to another user, and git reads it only if the configuration says so:"
                f" git config --global --add safe.directory {repository.resolve()} (GIT_CONFIG_COUNT does not"
                " reach it)"
            )
        said = (done.stderr.strip().splitlines() or ["unknown"])[-1]
        shallow = git(repository, "rev-parse", "--is-shallow-repository").stdout.strip() == "true"
        more = "; it is a shallow clone: git fetch --unshallow" if shallow else ""
        raise UsageError(f"{who}: no such revision in {repository}: {said}{more}")
    return done.stdout.strip()


@contextmanager
def checked_out(who: str, commit: str, repository: Path, tree: Path) -> Iterator[None]:
    """The files of `commit` in `tree`, a worktree of `repository` for as long as the block lasts."""
    try:
        _add(who, commit, repository, tree)
        yield
    finally:
        git(repository, "worktree", "remove", "--force", "--force", str(tree))
        shutil.rmtree(tree, ignore_errors=True)


@contextmanager
def left_behind(who: str, commit: str, repository: Path, tree: Path) -> Iterator[None]:
    """As `checked_out`, but where the block ends well the files stay, and the repository forgets them."""
    with checked_out(who, commit, repository, tree):
        yield
        aside = tree.with_name(f"{tree.name}-built")
        tree.rename(aside)
    (aside / ".git").unlink(missing_ok=True)
    aside.rename(tree)


def run_step(
    who: str,
    step: list[str],
    environment: dict[str, str],
    most_seconds: float,
    *,
    folder: Path,
    say: Callable[[str], None],
) -> None:
    """Run a step of a build in `folder`; every half minute the last line it said is told.

    Raises BuildError with its last lines if it fails, takes too long, or leaves no room on the disk.
    """
    heard = time.monotonic()

    def look(said: str) -> None:
        nonlocal heard
        if shutil.disk_usage(folder).free < LEAST_FREE:
            raise BuildError(f"{who}: does not build: it fills the disk ({folder})", _last(said))
        if time.monotonic() - heard > _TELL_SECONDS and (lines := _last(said)):
            heard = time.monotonic()
            say(f"{who}: {lines[-1]:.100}")

    try:
        status, said = run_guarded(step, environment, most_seconds, folder=folder, look=look)
    except subprocess.TimeoutExpired as error:
        lines = _last(error.output or "")
        raise BuildError(f"{who}: does not build: it takes more than {most_seconds:g} s", lines) from None
    require(who, step, status, said)


def require(who: str, step: list[str], status: int, said: str) -> None:
    """Raise BuildError for a step that ended with another status than 0."""
    if status != 0:
        shown = " ".join(step[:4])
        raise BuildError(f"{who}: does not build: {shown:.100} … ended with {status}", _last(said))


def _add(who: str, commit: str, repository: Path, tree: Path) -> None:
    steps = ("worktree", "add", "--force", "--detach", str(tree), commit)
    done = git(repository, *steps, environment=checking_out(repository))
    require(who, done.args, done.returncode, done.stderr)


def _last(said: str) -> tuple[str, ...]:
    return tuple(said.strip().splitlines()[-_LAST_LINES:])
