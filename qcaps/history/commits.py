"""A line of commits: the first parents of a branch, each with its place, so that two clones agree on both."""

from __future__ import annotations

import fnmatch
from typing import TYPE_CHECKING

from qcaps.errors import UsageError
from qcaps.git import git
from qcaps.history.records import Revision

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_FORMAT = "--format=%H%x00%cI%x00%s"
RELEASES = "v[0-9]*"
"""Tags that stand for a release, unless a `-` in them (v9.0.0-rc1) says that they come before one."""
_SHORT = 12


def line(repository: Path) -> str:
    """What all clones of a repository have in common: where its main line begins. Raises UsageError."""
    return _asked(repository, "rev-list", "--first-parent", "--max-parents=0", "HEAD").split()[-1]


def commits(repository: Path, span: str, *, every: int = 1, tags: str = "") -> list[Revision]:
    """The commits of `A..B`, or all up to `B`, oldest first. Raises UsageError.

    Each `every`th of the line and the newest; with `tags`, those alone whose tag matches. Counted from where
    the line begins, so that the same ones are chosen when others have come.
    """
    if _asked(repository, "rev-parse", "--is-shallow-repository").strip() == "true":
        raise UsageError(f"{repository}: a shallow clone has no places in its line: git fetch --unshallow")
    said = _asked(repository, "log", "--first-parent", "--reverse", _FORMAT, "--end-of-options", span)
    rows = [row.split("\0") for row in said.splitlines()]
    if not rows:
        raise UsageError(f"{repository}: no commit in {span}")
    last = int(_asked(repository, "rev-list", "--first-parent", "--count", rows[-1][0]))
    known = tags_of(repository)
    found = [
        Revision(last - len(rows) + at, name, _label(name, known.get(name, ())), date, summary[:120])
        for at, (name, date, summary) in enumerate(rows)
    ]
    if tags:
        found = [one for one in found if fnmatch.filter(known.get(one.name, ()), tags)]
        if not found:
            raise UsageError(f"{repository}: no commit in {span} has a tag like {tags}")
    chosen = [one for one in found if one.position % every == 0]
    return chosen if found[-1] in chosen else [*chosen, found[-1]]


def tags_of(repository: Path) -> dict[str, tuple[str, ...]]:
    """The tags of each commit that has some."""
    said = _asked(
        repository, "for-each-ref", "refs/tags", "--format=%(objectname) %(*objectname) %(refname:lstrip=2)"
    )
    found: dict[str, tuple[str, ...]] = {}
    for row in said.splitlines():
        own, peeled, name = row.split(" ", 2)
        commit = peeled or own
        found[commit] = (*found.get(commit, ()), name)
    return found


def is_release(tags: Sequence[str]) -> bool:
    """Whether one of a commit's tags is that of a release."""
    return any("-" not in tag for tag in fnmatch.filter(tags, RELEASES))


def within(repository: Path, span: str) -> frozenset[str]:
    """All commits of a range, merged branches too. Raises UsageError."""
    return frozenset(_asked(repository, "rev-list", "--end-of-options", span).split())


def of_gate(version: str, repository: Path) -> Revision:
    """The commit that a gate calls so ("HEAD~1 0123456789ab"). Raises UsageError for what is none."""
    commit = version.rsplit(maxsplit=1)[-1] if version.split() else ""
    if len(commit) != _SHORT or not set(commit) <= set("0123456789abcdef"):
        raise UsageError(f"{version or 'an arm'}: no revision: gate two with --base-rev and --head-rev")
    return commits(repository, commit, every=1)[-1]


def _label(name: str, tags: Sequence[str]) -> str:
    return min(tags, key=len) if tags else name[:_SHORT]


def _asked(repository: Path, *arguments: str) -> str:
    try:
        done = git(repository, *arguments)
    except FileNotFoundError:
        raise UsageError("a history of commits needs git, which is not installed") from None
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["unknown"]
        said = next((line for line in lines if line.startswith("fatal:")), lines[-1])
        raise UsageError(f"{repository}: git {arguments[0]} {arguments[-1]}: {said}")
    return done.stdout
