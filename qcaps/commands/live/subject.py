"""The libvirt that `qcaps live` asks: the embedded driver, a daemon of our own, or one that runs."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from qcaps.commands.options import existing_path
from qcaps.commands.terminal import note
from qcaps.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from qcaps.live.host.libvirt_process import Counting, LibvirtProcess


def add_libvirt(parser: argparse.ArgumentParser, flag: str = "--libvirt") -> None:
    """--libvirt, or another flag for one of two."""
    parser.add_argument(
        flag, type=existing_path, metavar="DIR", help="a prefix or a build tree (default: /usr)"
    )


def add_daemon(parser: argparse.ArgumentParser) -> None:
    """--daemon."""
    parser.add_argument(
        "--daemon", action="store_true", help="a daemon of our own in place of the embedded driver (as root)"
    )


def add_yes(parser: argparse.ArgumentParser) -> None:
    """--yes."""
    parser.add_argument("--yes", action="store_true", help="the daemon may be a system's")


@contextmanager
def subject_of(args: argparse.Namespace, counting: Counting | None) -> Iterator[LibvirtProcess]:
    """The libvirt to ask; a note says so where it is not counted as asked for."""
    with open_subject(args, counting) as subject:
        yield subject
        if subject.fallback:
            note(f"counted by the {subject.counted_by}: {subject.fallback}")


def open_subject(args: argparse.Namespace, counting: Counting | None) -> LibvirtProcess:
    """Likewise, without the note. Raises UsageError for options that exclude each other."""
    from qcaps.live.host.daemon import PrivateDaemon, RunningDaemon  # lxml, subprocess
    from qcaps.live.host.embedded import Embedded

    if args.uri is None:
        return (PrivateDaemon if args.daemon else Embedded)(counting, args.libvirt)
    if args.daemon:
        raise UsageError("--daemon starts one of its own: choose it or --uri")
    ours = "/session" in args.uri and os.geteuid() != 0  # root's session is the system's
    if not args.yes and not ours:
        raise UsageError(f"{args.uri} may serve others: --yes says that this is known")
    if counting == "interposer":
        raise UsageError("a running daemon can be counted by its log or by uprobes only")
    return RunningDaemon(args.uri, args.libvirt, counting)
