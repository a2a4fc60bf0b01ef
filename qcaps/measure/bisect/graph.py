"""Which commits may be the first that is bad, the one that halves them best first. Merges too.

The user's repository is only read: no reference, no HEAD, no `git bisect` of the user's own is touched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from qcaps.errors import QcapsError, UsageError
from qcaps.git import git

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class Commit(NamedTuple):
    """A commit, and the first line of its message."""

    name: str
    subject: str


def suspects(repository: Path, goods: Sequence[str], bad: str) -> list[str]:
    """The commits that `bad` has and no good one, `bad` too; the one that halves them best first."""
    said = _read(repository, "rev-list", "--bisect-all", bad, *(f"^{good}" for good in goods))
    return [line.split()[0] for line in said.splitlines()]


def in_order(repository: Path, good: str, bad: str) -> list[Commit]:
    """`good`, and all that `bad` has more, parents first."""
    said = _read(repository, "log", "--no-show-signature", "--topo-order", "--reverse",
                 "--format=%H%x00%s", f"{good}..{bad}")  # fmt: skip
    rows = (line.partition("\0") for line in said.splitlines())
    return [Commit(good, subject(repository, good)), *(Commit(name, what) for name, _, what in rows)]


def subject(repository: Path, commit: str) -> str:
    """The first line of a commit's message."""
    return _read(repository, "log", "--no-show-signature", "-1", "--format=%s", commit).strip()


def check_ends(repository: Path, good: str, bad: str) -> None:
    """Raise UsageError unless `bad` is a descendant of `good`."""
    if good == bad:
        raise UsageError(f"good and bad are one commit, {good[:12]}")
    if git(repository, "merge-base", "--is-ancestor", good, bad).returncode != 0:
        other = git(repository, "merge-base", good, bad).stdout.strip()
        hint = f": both come from {other[:12]}, which may be a good one" if other else ""
        if git(repository, "merge-base", "--is-ancestor", bad, good).returncode == 0:
            hint = ": it is the other way round; what was repaired is found by GOOD the older, BAD the newer"
        raise UsageError(f"{bad[:12]} does not come from {good[:12]}{hint}")


def _read(repository: Path, *arguments: str) -> str:
    done = git(repository, *arguments)
    if done.returncode != 0:
        said = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise QcapsError(f"{repository}: git {arguments[0]}: {said}")
    return done.stdout
