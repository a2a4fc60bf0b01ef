"""The libvirt that `qcaps fidelity` asks, and what it asks about."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from qcaps.bounded import read_bounded
from qcaps.commands.terminal import progress_bar
from qcaps.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from pathlib import Path

    from qcaps.measure.fidelity.truth import Truth
    from qcaps.measure.fidelity.witness import Witness

EMULATOR: Final = "/usr/bin/qemu-system-x86_64"

SIZES: Final = (1, 7, 8, 31, 32, 64, 200)
"""Below, at and above what one SCSI controller, USB hub, virtio-serial controller or PCI bridge holds."""

_LINES_OF_PROGRESS: Final = 20


def subject_of(args: argparse.Namespace) -> str:
    """The libvirt to ask, "" for recorded truth. Raises UsageError."""
    from qcaps.commands.naming import subjects_of  # not for --help
    from qcaps.measure.subject import is_libvirt  # likewise

    if not args.live and not args.subject:
        if args.mutate:
            raise UsageError("--mutate has to ask a libvirt: add --live, or --subject")
        if len(args.truth) != 1:
            raise UsageError("name one folder of recorded truth, or ask this machine's libvirt with --live")
        return ""
    (subject,) = subjects_of([args.subject or "libvirt"], yes=True)
    if not is_libvirt(subject) or "://" in subject:
        raise UsageError(f"--subject {subject}: domains are put to a libvirt of our own: libvirt[:DIR]")
    if args.skip and args.skip >= (args.mutate or 0):
        raise UsageError(f"--skip {args.skip} leaves nothing of --mutate {args.mutate or 0}")
    return subject


def prepare(args: argparse.Namespace, subject: str, scratch: Path) -> None:
    """Both sides are to work on the same QEMU: what the reference knows of it is probed now."""
    from qcaps.capabilities import cachefile  # not for --help
    from qcaps.capabilities.host_stamps import stamps_for  # likewise
    from qcaps.capabilities.probe import probe  # likewise
    from qcaps.capabilities.stamps import Entry  # likewise
    from qcaps.lookups.policy import STOCK_OF, release_under  # likewise
    from qcaps.measure.subjects.libvirt import installation  # likewise
    from qcaps.release import modelled, of_version  # likewise

    if args.release is None and args.policy not in STOCK_OF:
        args.release = of_version(installation(subject).version)
    args.emulator = args.emulator or EMULATOR
    if args.capabilities is None:
        ruled = release_under(args.policy, modelled(args.release).release if args.release else None)
        found = probe(args.emulator, release=ruled)
        args.capabilities = scratch / "probed.xml"
        cachefile.write(args.capabilities, Entry(found, stamps_for(args.emulator, found)))


@contextmanager
def opened_witness(args: argparse.Namespace, subject: str) -> Iterator[Witness | None]:
    """The libvirt to ask, None where nothing is to be asked."""
    if not subject:
        yield None
        return
    from qcaps.measure.fidelity.witness import MOST_MEMORY, Witness  # needs libvirt
    from qcaps.measure.subjects.libvirt import opened  # likewise

    with Witness(lambda: opened(subject, MOST_MEMORY), args.emulator) as witness:
        yield witness


def truths(args: argparse.Namespace, witness: Witness | None) -> Iterator[Truth]:
    """The truth about each domain that the user means, and on standard error how far that is."""
    from qcaps.measure.fidelity.truth import recorded  # not for --help

    if witness is None:
        yield from recorded(args.truth[0])
        return
    files = list(_files(args.truth) if args.truth else _scenarios())
    asked = _mutants(args, files) if args.mutate else iter(files)
    of = args.mutate - args.skip if args.mutate else len(files)
    step = max(of // _LINES_OF_PROGRESS, 1)
    with progress_bar() as bar:
        for done, (name, data) in enumerate(asked):
            bar(done, of, f"from {name} on" if done < step else f"{done - done % step} asked")
            yield witness.ask(name, data)


def _mutants(args: argparse.Namespace, files: list[tuple[str, bytes]]) -> Iterator[tuple[str, bytes]]:
    from qcaps.measure.fidelity.mutants import Mutants  # not for --help

    mutants = Mutants(files, args.seed)
    if not mutants:
        raise UsageError("--mutate: none of the files is XML")
    return (mutants.at(number) for number in range(args.skip, args.mutate))


def _files(paths: list[Path]) -> Iterator[tuple[str, bytes]]:
    for path in paths:
        for file in sorted(path.glob("*.xml")) if path.is_dir() else [path]:
            yield str(file), read_bounded(file)


def _scenarios() -> Iterator[tuple[str, bytes]]:
    from qcaps.scenario import names, on_every_machine  # not for --help

    for family in names():
        for one in on_every_machine(family):
            if one.arch == "x86_64":
                for n in SIZES:
                    if n <= one.largest:
                        yield f"{one.name} n={n}", one.xml(n).encode()
