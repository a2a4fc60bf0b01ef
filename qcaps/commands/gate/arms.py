"""What a user names to be gated: two arms, the cells, or two results files."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from qcaps.commands.naming import domains_of, each_canonical, gate_cells
from qcaps.commands.terminal import note
from qcaps.errors import UsageError

if TYPE_CHECKING:
    import argparse

    from qcaps.measure.cell import Cell
    from qcaps.measure.gate.arms import Arm


def arms_of(args: argparse.Namespace) -> tuple[Arm, Arm]:
    """Base and head, built. Raises UsageError, and BuildError for a revision that does not build."""
    from qcaps.measure.gate import revisions

    if not (args.base or args.base_rev or args.base_python):
        raise UsageError("what is the base? --base-rev, --base-python, --base SUBJECT, or two results files")
    for side in ("base", "head"):
        if getattr(args, f"{side}_rev") and getattr(args, f"{side}_python"):
            raise UsageError(f"--{side}-rev or --{side}-python: not both")
    base_subject, head_subject = _subjects(args)
    builds = args.builds or revisions.default_builds()
    try:
        base, head = (
            revisions.arm_from(
                revisions.ArmSource(
                    side, getattr(args, f"{side}_rev"), getattr(args, f"{side}_python"), subject
                ),
                args.repo,
                builds,
                note,
            )
            for side, subject in (("base", base_subject), ("head", head_subject))
        )
    except revisions.BuildError as error:
        print("\n".join(error.lines), file=sys.stderr)
        raise
    return base, head


def _subjects(args: argparse.Namespace) -> tuple[str, str]:
    """What each arm measures; "" where nothing was said. Raises UsageError for one that stands alone."""
    if not (args.base or args.head):
        return "", ""
    if not (args.base and args.head):
        said, missing = ("--base", "--head") if args.base else ("--head", "--base")
        raise UsageError(f"{said} names what one arm measures: {missing} names the other's")
    base, head = each_canonical((args.base, args.head), yes=args.yes)
    return base, head


def results_files(args: argparse.Namespace) -> list[Path]:
    """What was named, where no arm was: results files. Raises UsageError for both together."""
    from qcaps.measure.results.results_file import looks_like_results

    found = [Path(name) for name in args.what]
    if not _arms_named(args):
        for path in found:
            if not path.exists():
                raise UsageError(f"{path}: no such file")
        return found
    if any(map(looks_like_results, found)):
        raise UsageError("two results files, or revisions, interpreters and subjects: not both")
    return []


def _arms_named(args: argparse.Namespace) -> bool:
    return any(getattr(args, f"{side}{how}") for side in ("base", "head") for how in ("", "_rev", "_python"))


def cells_of(args: argparse.Namespace, arms: tuple[Arm, Arm]) -> tuple[tuple[Cell, ...], dict[Cell, str]]:
    """The suite's cells, on the domains and tasks that were named."""
    from qcaps.measure.subject import is_libvirt
    from qcaps.measure.suite import Choice, choose, sources

    domains, names = domains_of(args.what, args)
    choice = Choice(scenarios=names, ns=tuple(args.n), tasks=tuple(args.task))
    found = gate_cells(
        args.suite,
        args.content,
        on_libvirt=any(is_libvirt(arm.subject) for arm in arms),
        choose_from=lambda cells: choose(cells, choice, domains),
    )
    return found, sources(found, domains)


def placed(arms: tuple[Arm, Arm], scratch: Path) -> tuple[Arm, Arm]:
    """Each arm's code in a folder like the other's."""
    from qcaps.measure.gate import revisions

    base, head = (revisions.alike(arm, scratch / f"code-of-{arm.name}") for arm in arms)
    return base, head
