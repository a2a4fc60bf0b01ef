"""Revisions and how each is had: commits of a repository, which are built, or libvirts that are installed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from qcaps.history import commits, records
from qcaps.history.measuring import Target
from qcaps.history.records import Revision
from qcaps.measure.gate.revisions import ArmSource

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from qcaps.history.store import HistoryStore
    from qcaps.measure.gate.libvirt_builds import Recipe

LIBVIRTS = "installed libvirts"
"""The line of a store that holds them."""


def of_commits(found: Sequence[Revision], recipe: Recipe | None = None) -> list[Target]:
    """Commits of qcaps, each of which will be built; of a libvirt, with a `recipe`."""
    return [Target(one, ArmSource("head", revision=one.name, recipe=recipe)) for one in found]


def of_libvirts(subjects: Sequence[str]) -> list[Target]:
    """Installed libvirts in the order of their releases, each by its release where that tells them apart.

    Two machines have the same one at different places. Raises LiveError.
    """
    from qcaps.measure.subjects.libvirt import described, installation  # lxml, subprocess

    found = []
    for subject in subjects:
        installed = installation(subject)
        release = f"libvirt {installed.version_name}"
        revision = Revision(installed.version, release, installed.version_name, "", described(subject))
        found.append(Target(revision, ArmSource("head", subject=subject)))
    names = [one.revision.name for one in found]
    return [
        one
        if names.count(one.revision.name) == 1
        else replace(one, revision=replace(one.revision, name=one.source.subject, label=one.source.subject))
        for one in found
    ]


def in_store(store: HistoryStore, recipe: Recipe | None = None) -> dict[str, Target]:
    """What the store has of a line of commits: all of it can be built again."""
    if records.about(store, records.LINE) == LIBVIRTS:
        return {}
    return {one.revision.name: one for one in of_commits(list(records.revisions(store).values()), recipe)}


def releases(repository: Path) -> set[str]:
    """The commits that are releases."""
    return {name for name, tags in commits.tags_of(repository).items() if commits.is_release(tags)}
