"""`qcaps start`: a domain file up to QEMU's command line, and on demand up to a QEMU that runs it."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from qcaps.bounded import read_bounded
from qcaps.commands.options import (
    add_options,
    add_reference_options,
    domain_file,
    print_json,
    reference_from,
)
from qcaps.errors import QcapsError, UsageError
from qcaps.files import scratch_folder

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from qcaps.driver.driver import Done, QemuDriver
    from qcaps.driver.spawn import Spawned


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("file", type=domain_file, metavar="FILE", help="a domain in libvirt's XML, or -")
    add_reference_options(parser)
    parser.add_argument(
        "--spawn",
        action="store_true",
        help="run the command line, paused, with stand-ins for images, sockets and displays, "
        "and compare the devices the guest has with those asked for",
    )
    add_options(parser, "json", deadline=30.0)
    parser.epilog = "Example: qcaps start guest.xml --policy once --spawn"


def run(args: argparse.Namespace) -> int:
    """Define and start one file; 1 where the spawned guest has other devices than asked for."""
    done, driver = _started(args)
    spawned = None
    if args.spawn:
        from qcaps.driver.spawn import spawn  # only a real start pays for asyncio

        spawned = spawn(done.command, args.deadline)
    if args.json:
        print_json("start", _as_json(args.file, done, driver, spawned))
    else:
        print(" \\\n  ".join(_lines(done.command)))
        print("".join(f"assumed: {one}\n" for one in done.assumed), end="")
        print(
            f"{args.file}: {done.lookups} lookups: {_sites(done)}, by the rules of libvirt {driver.release}"
        )
        if spawned:
            print("\n".join(_report(spawned)))
    return 1 if spawned and (spawned.missing or spawned.unasked) else 0


def _started(args: argparse.Namespace) -> tuple[Done, QemuDriver]:
    file = args.file
    try:
        data = read_bounded(file)
        with scratch_folder() as scratch:
            driver = reference_from(args, scratch)
            driver.warm(data, file)
            name = driver.define(data, file).domain.name
            return driver.start(name), driver
    except QcapsError as error:
        if isinstance(error, UsageError) and args.release is not None:
            raise  # the release is at fault, not the file
        text = " ".join(str(error).split())
        raise QcapsError(text if text.startswith(file) else f"{file}: {text}") from error


def _lines(command: Sequence[str]) -> Iterator[str]:
    """The command in shell's words, an option and its value a line."""
    line: list[str] = []
    for word in command:
        if word.startswith("-") and line:
            yield shlex.join(line)
            line = []
        line.append(word)
    yield shlex.join(line)


def _sites(done: Done) -> str:
    return ", ".join(f"{site.value} {count}" for site, count in done.sites.items() if count) or "none"


def _report(spawned: Spawned) -> Iterator[str]:
    for change in spawned.stand_ins:
        yield f"stand-in: {change}"
    count = len(spawned.asked)
    yield f"QEMU: {spawned.status}, {spawned.pci_functions} PCI functions"
    if not spawned.missing and not spawned.unasked:
        yield f"devices: all {count} that were asked for, and no other"
    for name in spawned.missing:
        yield f"missing: {name}"
    for name in spawned.unasked:
        yield f"not asked for: {name}"


def _as_json(file: str, done: Done, driver: QemuDriver, spawned: Spawned | None) -> dict[str, Any]:
    from qcaps.driver.facts import plain  # not for --help

    described: dict[str, Any] = {
        "file": file,
        "release": str(driver.release),
        "host": plain(driver.facts),
        "name": done.domain.name,
        "command": list(done.command),
        "assumed": list(done.assumed),
        "lookups": done.lookups,
        "sites": {site.value: count for site, count in done.sites.items()},
    }
    if spawned:
        described["spawned"] = {
            "status": spawned.status,
            "pci_functions": spawned.pci_functions,
            "asked": list(spawned.asked),
            "present": list(spawned.present),
            "missing": list(spawned.missing),
            "unasked": list(spawned.unasked),
            "stand_ins": list(spawned.stand_ins),
        }
    return described
