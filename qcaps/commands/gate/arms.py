"""What a user names to be gated: two arms, the cells, or two results files."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from qcaps.commands.building import recipe_of
from qcaps.commands.configuration import Said
from qcaps.commands.naming import check_tasks, domains_of, gate_cells, reference_beside, subjects_of
from qcaps.commands.terminal import note
from qcaps.errors import UsageError, visible

if TYPE_CHECKING:
    import argparse

    from qcaps.measure.cell import Cell
    from qcaps.measure.gate.arms import Arm
    from qcaps.measure.gate.decision import GateOutcome
    from qcaps.measure.gate.revisions import ArmSource


def arms_of(args: argparse.Namespace) -> tuple[Arm, Arm]:
    """Base and head, built. Raises UsageError, and BuildError for a revision that does not build."""
    from qcaps.measure.gate import checkout, revisions

    if not (args.base or args.base_rev or args.base_python):
        raise UsageError("what is the base? --base-rev, --base-python, --base SUBJECT, or two results files")
    for side in ("base", "head"):
        if getattr(args, f"{side}_rev") and getattr(args, f"{side}_python"):
            raise UsageError(f"--{side}-rev or --{side}-python: not both")
    base_source, head_source = _sources(args)
    builds = args.builds or revisions.default_builds()
    try:
        base = revisions.arm_from(base_source, args.repo, builds, note)
        head = revisions.arm_from(head_source, args.repo, builds, note)
    except checkout.BuildError as error:
        print(visible("\n".join(error.lines)), file=sys.stderr)
        raise
    return _of_one_release(base, head), _of_one_release(head, base)


def _sources(args: argparse.Namespace) -> tuple[ArmSource, ArmSource]:
    """How both arms were named; with --build a head that nothing names is the repository's HEAD."""
    from dataclasses import replace

    from qcaps.measure.gate.revisions import ArmSource

    recipe = recipe_of(args) if args.base_rev or args.head_rev else None
    if recipe and not (args.head or args.head_rev or args.head_python):
        args.head_rev = "HEAD"
        _note_dirty(args.repo)
    built = [bool(recipe and getattr(args, f"{side}_rev")) for side in ("base", "head")]
    subjects = _subjects(args, built)
    found = [
        ArmSource(side, getattr(args, f"{side}_rev"), getattr(args, f"{side}_python"), subject)
        for side, subject in zip(("base", "head"), subjects, strict=True)
    ]
    base, head = (replace(one, recipe=recipe if own else None) for one, own in zip(found, built, strict=True))
    return base, head


def _note_dirty(repository: Path) -> None:
    from qcaps.git import git

    changed = git(repository, "status", "--porcelain", "--untracked-files=no").stdout.splitlines()
    if changed:
        note(
            f"head is the commit HEAD: {len(changed)} files that differ from it in {repository} are left out"
        )


def _of_one_release(arm: Arm, other: Arm) -> Arm:
    """The reference beside a libvirt follows that libvirt's release. Raises UsageError for one too old."""
    from dataclasses import replace

    from qcaps.measure.subject import REFERENCE, is_libvirt

    if arm.subject != REFERENCE or not is_libvirt(other.subject):
        return arm
    followed = reference_beside([other.subject])
    return replace(arm, subject=followed, version=f"{followed} of this qcaps")


def _subjects(args: argparse.Namespace, built: list[bool]) -> list[str]:
    """What each arm measures; "" where nothing was said. Raises UsageError for one that stands alone."""
    for (side, other), own in zip((("base", "head"), ("head", "base")), built, strict=True):
        if own and getattr(args, side):
            raise UsageError(f"--{side} and --{side}-rev with --build: both say what {side} measures")
        if getattr(args, side) and not (getattr(args, other) or any(built)):
            raise UsageError(f"--{side} names what one arm measures: --{other} names the other's")
        if any(built) and not own and not getattr(args, side):
            raise UsageError(
                f"--build makes a libvirt of one arm: --{side} or --{side}-rev names the other's"
            )
    return [
        subjects_of([name], yes=args.yes)[0] if (name := getattr(args, side)) else ""
        for side in ("base", "head")
    ]


def results_files(args: argparse.Namespace) -> list[Path]:
    """What was named, where no arm was: results files. Raises UsageError for both together."""
    from qcaps.measure.results.results_file import looks_like_results

    found = [Path(name) for name in args.what]
    if not _arms_named(args):
        if isinstance(args.what, Said):  # the configuration's guests, and nothing typed
            return []
        for path in found:
            if not path.exists():
                raise UsageError(f"{path}: no such file")
        return found
    if any(map(looks_like_results, found)):
        raise UsageError("two results files, or revisions, interpreters and subjects: not both")
    return []


def _arms_named(args: argparse.Namespace) -> bool:
    return any(getattr(args, f"{side}{how}") for side in ("base", "head") for how in ("", "_rev", "_python"))


def cells_of(
    args: argparse.Namespace, arms: tuple[Arm, Arm]
) -> tuple[tuple[Cell, ...], dict[Cell, str], GateOutcome]:
    """The suite's cells, on the domains and tasks that were named, and their domains.

    A file of a folder in which there is no domain is in the outcome already: neither arm can do it.
    """
    from qcaps.measure.gate.decision import GateOutcome
    from qcaps.measure.subject import is_libvirt
    from qcaps.measure.suite import Choice, choose, sources

    check_tasks(args.task, (arm.subject for arm in arms))
    domains, names = domains_of(args.what, args)
    choice = Choice(scenarios=names, ns=tuple(args.n), tasks=tuple(args.task))
    found = gate_cells(
        args.suite,
        args.content,
        on_libvirt=any(is_libvirt(arm.subject) for arm in arms),
        choose_from=lambda cells: choose(cells, choice, domains),
    )
    outcome = GateOutcome()
    for cell in found:
        if why := domains.refusal(cell.scenario):
            outcome.refused[cell] = dict.fromkeys(("base", "head"), why)
    left = tuple(cell for cell in found if cell not in outcome.refused)
    return left, sources(left, domains), outcome


def placed(arms: tuple[Arm, Arm], scratch: Path) -> tuple[Arm, Arm]:
    """Each arm's code in a folder like the other's."""
    from qcaps.measure.gate import revisions

    base, head = (revisions.alike(arm, scratch / f"code-of-{arm.name}") for arm in arms)
    return base, head
