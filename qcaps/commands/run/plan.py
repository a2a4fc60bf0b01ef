"""What a user names to be measured, as a plan; and what makes two runs the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcaps.commands.naming import check_coordinates, check_domains, domains_of, subjects_of
from qcaps.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Sequence

    from qcaps.measure.cell import Cell
    from qcaps.measure.domains import DomainSources
    from qcaps.measure.schedule import Plan
    from qcaps.measure.suite import Conclusions

QUICK_SECONDS = 30.0


def identity_of(plan: Plan, host: str) -> dict[str, object]:
    """All that must be the same for two runs to be one: what is measured, how often, and by what."""
    import hashlib
    import platform

    import qcaps
    from qcaps.measure.results.session import commit, newest_source

    def digest(lines: Iterable[str]) -> str:
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]

    names = [cell.name for cell in plan.cells]
    return {
        "cells": f"{len(names)} ({digest(names)})",
        "domains": digest(map(str, plan.xmls.values())),
        "libvirts": _libvirts(plan),
        "pairs": plan.pairs,
        "processes": plan.processes,
        "seed": plan.seed,
        "seconds": plan.limit,
        "qcaps": qcaps.__version__,
        "commit": commit() or "",
        "edited": newest_source() if (commit() or "+").endswith("+") else "",
        "python": platform.python_version(),
        "host": host,
    }


def _libvirts(plan: Plan) -> dict[str, list[object]]:
    """The version of each real libvirt, and when its driver was last built."""
    from qcaps.measure.subject import is_libvirt

    found: dict[str, list[object]] = {}
    for subject in dict.fromkeys(cell.subject for cell in plan.cells):
        if is_libvirt(subject):
            from qcaps.measure.subjects.libvirt import installation

            one = installation(subject)
            found[subject] = [one.version_name, one.driver.stat().st_mtime_ns]
    return found


def plan_of(args: argparse.Namespace) -> tuple[Plan, Conclusions]:
    """What to measure, and what the suite concludes. Raises UsageError for a name there is not."""
    from dataclasses import replace  # 10 ms that `--help` need not pay

    from qcaps.measure.schedule import Plan, with_baseline
    from qcaps.measure.suite import suite

    subjects = subjects_of(args.subject or ["reference"], yes=args.yes)
    name, named = _what(args, subjects)
    check_coordinates(args, subjects)
    chosen = suite(name, args.content)
    domains, scenarios = domains_of((*named, *args.scenario), args)
    cells = _cells(args, chosen.cells, subjects, domains, scenarios)
    processes = args.processes if args.processes is not None else 1 if args.quick else 4
    plan = Plan(
        cells=with_baseline(tuple(replace(cell, seed=args.seed) for cell in cells), args.baseline),
        pairs=args.pairs,
        processes=processes,
        seed=args.seed,
        limit=QUICK_SECONDS if args.quick else None,
        domains=domains,
    )
    return plan, chosen.conclusions


def _what(args: argparse.Namespace, subjects: Sequence[str]) -> tuple[str, list[str]]:
    """The suite, and the domains among what was named. Raises UsageError for two suites."""
    from qcaps.measure.subject import is_libvirt
    from qcaps.measure.suite import names

    suites = [name for name in args.what if name in names(args.content)]
    check_domains((name for name in args.what if name not in suites), args.content, names(args.content))
    if len(suites) > 1:
        raise UsageError(f"{suites[0]} and {suites[1]} are suites: name one")
    for option in ("scenario", "task", "policy", "validity"):
        for name in getattr(args, option):
            if not suites and name in names(args.content):
                raise UsageError(
                    f"--{option} {name}: {name} is a suite, which comes first: qcaps run {name} --{option} …"
                )
    check_domains(args.scenario, args.content)
    usual = "quick" if args.quick else "libvirt" if all(map(is_libvirt, subjects)) else "default"
    return (suites[0] if suites else usual), [name for name in args.what if name not in suites]


def _cells(
    args: argparse.Namespace,
    suites: tuple[Cell, ...],
    subjects: Sequence[str],
    domains: DomainSources,
    scenarios: tuple[str, ...],
) -> list[Cell]:
    """The cells of every subject. Raises UsageError for a subject that can do none of what is asked."""
    from dataclasses import replace  # 10 ms that `--help` need not pay

    from qcaps.measure.subject import REFERENCE, is_libvirt, is_reference
    from qcaps.measure.suite import Choice, choose

    choice = Choice(
        scenarios=scenarios,
        ns=tuple(args.n),
        tasks=tuple(args.task),
        validities=tuple(args.validity),
        policies=tuple(args.policy),
    )
    chosen = choose(suites, choice, domains)
    cells: list[Cell] = []
    for subject in subjects:
        found = chosen
        if is_reference(subject):
            found = tuple(replace(one, subject=subject) if one.subject == REFERENCE else one for one in found)
        elif is_libvirt(subject):
            from qcaps.measure.subjects.libvirt import on_libvirt, policies

            found = on_libvirt(found, subject)
            if not found:
                asked = " ".join((*args.task, *args.policy)) or "this suite"
                known = ", ".join(policies(subject))
                raise UsageError(f"{subject} does none of what is asked ({asked}): its policies are {known}")
        cells += found
    return cells
