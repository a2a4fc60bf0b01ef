"""The libvirt that `qcaps live` asks: the embedded driver, a daemon of our own, or one that runs."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from qcaps.commands.naming import check_serves_us
from qcaps.commands.options import existing_path
from qcaps.commands.terminal import note
from qcaps.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from qcaps.live.host.libvirt_process import Counting, LibvirtProcess


def add_libvirt(parser: argparse.ArgumentParser) -> None:
    """--libvirt."""
    parser.add_argument(
        "--libvirt", type=existing_path, metavar="DIR", help="a prefix or a build tree (default: /usr)"
    )


def add_daemon(parser: argparse.ArgumentParser) -> None:
    """--daemon."""
    parser.add_argument(
        "--daemon", action="store_true", help="a daemon of our own in place of the embedded driver (as root)"
    )


@contextmanager
def subject_of(args: argparse.Namespace, counting: Counting | None) -> Iterator[LibvirtProcess]:
    """The libvirt to ask; a note says so where it is not counted as asked for."""
    with open_subject(args, counting) as subject:
        yield subject
        say_how(subject)


def say_how(subject: LibvirtProcess) -> None:
    """A note where it is not counted as asked for, or others of us were at the same log."""
    from qcaps.live.host.daemon import RunningDaemon  # lxml, subprocess

    if subject.fallback:
        note(f"counted by the {subject.counted_by}: {subject.fallback}")
    if isinstance(subject, RunningDaemon) and (others := subject.others):
        note(f"{others} more of us read this daemon's log meanwhile")


def open_subject(args: argparse.Namespace, counting: Counting | None) -> LibvirtProcess:
    """Likewise, without the note. Raises UsageError for options that exclude each other."""
    from qcaps.live.host.daemon import PrivateDaemon, RunningDaemon  # lxml, subprocess
    from qcaps.live.host.embedded import Embedded

    if args.uri is None:
        return (PrivateDaemon if args.daemon else Embedded)(counting, args.libvirt)
    if args.daemon:
        raise UsageError("--daemon starts one of its own: choose it or --uri")
    check_serves_us(args.uri, yes=args.yes)
    if counting == "interposer":
        raise UsageError("a running daemon can be counted by its log or by uprobes only")
    return RunningDaemon(args.uri, args.libvirt, counting)
