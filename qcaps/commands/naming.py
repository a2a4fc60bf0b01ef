"""What a user names to be measured: suites, domains of every kind, subjects."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from qcaps.errors import UsageError, unknown

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Sequence

    from qcaps.content import ContentFolders
    from qcaps.measure.cell import Cell
    from qcaps.measure.domains import DomainSources

_SUBJECTS = "reference[:RELEASE], libvirt, libvirt:PREFIX_OR_BUILD, libvirt:URI, libvirt-daemon[:PLACE]"


def add_domains(parser: argparse.ArgumentParser) -> None:
    """--grow, which makes a user's own guest a family."""
    parser.add_argument(
        "--grow", metavar="NAME", default="", help="on top of a domain file, n devices of this scenario"
    )


def add_yes(parser: argparse.ArgumentParser) -> None:
    """--yes."""
    parser.add_argument("--yes", action="store_true", help="the daemon may be a system's")


def add_subjects(parser: argparse.ArgumentParser, default: str = "reference") -> None:
    """--subject and --yes."""
    parser.add_argument(
        "--subject",
        nargs="+",
        action="extend",
        metavar="NAME",
        help=f"{_SUBJECTS} (default: {default})",
    )
    add_yes(parser)


def add_subject(parser: argparse.ArgumentParser) -> None:
    """--subject, one of them, and --yes."""
    parser.add_argument(
        "--subject",
        metavar="NAME",
        default="reference",
        help=f"{_SUBJECTS} (default: reference)",
    )
    add_yes(parser)


def add_libvirt_to_ask(parser: argparse.ArgumentParser) -> None:
    """--subject, where recordings answer without one."""
    parser.add_argument("--subject", metavar="NAME", help=f"{_SUBJECTS} (default: none)")


def gate_cells(
    suite_name: str | None,
    content: ContentFolders,
    *,
    on_libvirt: bool,
    choose_from: Callable[[tuple[Cell, ...]], tuple[Cell, ...]] = tuple,
) -> tuple[Cell, ...]:
    """What a gate judges: a suite's cells, of libvirts as they are, without interposition.

    `choose_from` puts what a user named in place of the suite's own. Raises UsageError.
    """
    from qcaps.measure.cell import LIBVIRT, STOCK
    from qcaps.measure.suite import suite

    name = suite_name or ("libvirt-gating" if on_libvirt else "gating")
    found = choose_from(suite(name, content).cells)
    if on_libvirt:
        from qcaps.measure.subjects import libvirt

        found = tuple(cell for cell in libvirt.on_libvirt(found, LIBVIRT) if cell.policy == STOCK)
        if not found:
            raise UsageError(f"suite {name}: nothing in it can be measured on a libvirt as it is")
    return found


def domains_of(names: Iterable[str], args: argparse.Namespace) -> tuple[DomainSources, tuple[str, ...]]:
    """Where the domains that a user named are found, and the names that cells have for them.

    A name is a scenario's, a domain file, a folder of such files, or `-` for standard input. Raises
    QcapsError for what is none of these.
    """
    from qcaps.measure.domains import named

    return named(names, args.content, args.grow)


def check_domains(names: Iterable[str], content: ContentFolders, beside: Sequence[str] = ()) -> None:
    """Raise UsageError for what is no scenario, no file, and none of what else there is `beside`."""
    from pathlib import Path

    from qcaps import scenario

    families = scenario.names(content)
    for name in names:
        if name != "-" and name.partition("@")[0] not in families and not Path(name).exists():
            if "/" in name or name.endswith(".xml"):
                raise UsageError(f"{name}: no such file")
            raise unknown("suite" if beside else "scenario", name, (*beside, *families))


def check_serves_us(uri: str, *, yes: bool) -> None:
    """Raise UsageError for a daemon that may serve others, unless that is known."""
    ours = "/session" in uri and os.geteuid() != 0  # root's session is the system's
    if not yes and not ours:
        raise UsageError(f"{uri} may serve others: --yes says that this is known")


def subjects_of(names: Sequence[str], *, yes: bool) -> tuple[str, ...]:
    """The subjects as cells name them, each once; `reference` beside a libvirt follows its release.

    Raises UsageError; LiveError for a libvirt that is not there.
    """
    from qcaps.measure.subject import REFERENCE, is_libvirt, is_reference, of_release, ruled_by, split

    found = []
    for name in names:
        kind, which = split(name)
        if is_libvirt(name):
            from qcaps.measure.subjects import libvirt

            own = libvirt.canonical(name)
            libvirt.installation(own)
            if libvirt.is_running(own):
                check_serves_us(split(own)[1], yes=yes)
            found.append(own)
        elif which and not is_reference(name):
            raise UsageError(f"subject {name}: there is one {kind}, and nothing after a colon")
        else:
            found.append(of_release(ruled_by(name)) if which else name)
    libvirts = [name for name in found if is_libvirt(name)]
    if REFERENCE in found and libvirts:
        beside = reference_beside(libvirts)
        found = [beside if name == REFERENCE else name for name in found]
    return tuple(dict.fromkeys(found))


def reference_beside(libvirts: Sequence[str]) -> str:
    """The reference that follows these libvirts' release, the newest of them. Raises UsageError."""
    from qcaps.commands.terminal import note
    from qcaps.measure.subject import of_release
    from qcaps.measure.subjects.libvirt import installation
    from qcaps.release import modelled, of_version

    followed = modelled(max(of_version(installation(name).version) for name in libvirts))
    if followed.warning:
        note(followed.warning)
    return of_release(followed.release)


def check_tasks(tasks: Iterable[str], subjects: Iterable[str]) -> None:
    """Raise UsageError for a task that none of the subjects has."""
    from qcaps.measure.cell import TASKS
    from qcaps.measure.subject import is_libvirt

    known = dict.fromkeys(TASKS)
    if any(map(is_libvirt, subjects)):
        from qcaps.live.tasks import TASKS as LIVE_TASKS

        known |= dict.fromkeys(LIVE_TASKS)
    for name in tasks:
        if name not in known:
            raise unknown("task", name, tuple(known))


def check_coordinates(args: argparse.Namespace, subjects: Sequence[str]) -> None:
    """Raise UsageError for a task, policy or validity that no subject has, before anything is measured."""
    from qcaps.cache.validity import VALIDITIES
    from qcaps.lookups.policy import by_name

    check_tasks(args.task, subjects)
    validities = tuple(one.name for one in VALIDITIES)
    for name in args.validity:
        if name not in validities:
            raise unknown("validity", name, validities)
    for name in (*args.policy, args.baseline):
        by_name(name)
