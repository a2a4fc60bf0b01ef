"""The options of every command, each said once: one flag has one destination, one meaning and one help.

A command takes those it has: `add_options(parser, "content", "json", seed=0, output=folder("results"))`.
Values are checked while the command line is read, so that a wrong one is a line that ends with the command's
own help.
"""

from __future__ import annotations

import json
import math
from argparse import ArgumentTypeError
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from qcaps.content import SHIPPED, ContentFolders
from qcaps.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping

    from qcaps.driver.driver import QemuDriver
    from qcaps.library.driver import Driver
    from qcaps.lookups.lookup import Watch
    from qcaps.release import Release
    from qcaps.rules.shared.host_facts import HostFacts

LONGEST = 7 * 86400.0
"""Seconds: nothing qcaps does is meant to take more than a week."""


class Output(NamedTuple):
    """What `-o` names, a FILE or a DIR, and what it is by default."""

    metavar: str
    default: Path | None = None


def folder(default: str) -> Output:
    """A folder, made if it is not there."""
    return Output("DIR", Path(default))


FILE = Output("FILE")


def add_options(
    parser: argparse.ArgumentParser, *names: str, output: Output | None = None, **defaults: object
) -> None:
    """Add the shared options called `names`, and those that `defaults` gives one for."""
    if output is not None:
        said = f" (default: {output.default})" if output.default else ""
        parser.add_argument(
            "-o",
            "--output",
            type=Path,
            metavar=output.metavar,
            default=output.default,
            help=f"write to this {'file' if output.metavar == 'FILE' else 'folder'}{said}",
        )
    for name in (*names, *defaults):
        flags, settings = _SHARED[name]
        given: dict[str, Any] = {**settings}
        if name in defaults:
            given["default"] = defaults[name]
            value = defaults[name]
            if value is None:
                value = "at random" if name == "seed" else "the suite's"
            given["help"] = f"{settings['help']} (default: {_plain(value)})"
        parser.add_argument(*flags, **given)


def add_many(parser: argparse.ArgumentParser, **defaults: list[Any]) -> None:
    """Add shared options that take one value or several; an empty default is the suite's own."""
    for name, default in defaults.items():
        flags, settings = _SHARED[name]
        said = _plain(default) if default else "the suite's"
        parser.add_argument(
            *flags,
            **{
                **settings,
                "nargs": "+",
                "default": default,
                "help": f"{settings['help']} (default: {said})",
            },
        )


def add_export(parser: argparse.ArgumentParser) -> None:
    """--export."""
    parser.add_argument(
        "--export",
        nargs="+",
        action="extend",
        default=[],
        metavar="FORMAT",
        help="pytest-benchmark, github, bencher, csv, of a gate junit and markdown too: a file each in the"
        " output folder",
    )


def _plain(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def whole(least: int, most: int = 10_000_000) -> Callable[[str], int]:
    """The type of a count between two bounds."""

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if not least <= value <= most:
            first = (
                f"; a suite or a file comes before the options: qcaps … {text} …" if text.isalpha() else ""
            )
            raise ArgumentTypeError(f"expected a whole number, {least} to {most}, not {text!r}{first}")
        return value

    return read


def number(least: float, most: float, unit: str) -> Callable[[str], float]:
    """The type of a measure above `least` and at most `most`; neither `nan` nor `inf` is one."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not least < value <= most:
            raise ArgumentTypeError(f"expected {unit}, above {least:g}, at most {most:g}, not {text!r}")
        return value

    return read


seconds = number(0, LONGEST, "seconds")
deadline = number(0, 3600, "seconds")


def existing(text: str) -> str:
    """The type of a file or folder to read: one that is not there is a command line that is wrong."""
    if not Path(text).exists():
        raise ArgumentTypeError(f"{text}: no such file or folder")
    return text


def domain_file(text: str) -> str:
    """The type of a file that holds one domain; `-` is standard input."""
    if text == "-":
        return "/dev/stdin"
    if Path(existing(text)).is_dir():
        raise ArgumentTypeError(f"{text}: is a folder: name a file in it")
    return text


def existing_path(text: str) -> Path:
    """Likewise, as a Path."""
    return Path(existing(text))


def program(text: str) -> str:
    """The type of a program: a path, or a name on PATH. Absolute, its symbolic links kept."""
    import os
    import shutil

    found = shutil.which(text) or text
    return os.path.abspath(existing(found))  # noqa: PTH100  # Path.resolve follows symbolic links


def release(text: str) -> Release:
    """The type of a release of libvirt."""
    from qcaps.release import parse  # not for --help

    try:
        return parse(text)
    except UsageError as error:
        raise ArgumentTypeError(str(error)) from None


def content_folders(text: str) -> ContentFolders:
    """`--content DIR`, looked into before what ships."""
    return ContentFolders(Path(text))


def add_cluster(parser: argparse.ArgumentParser) -> None:
    """--on, and what a connection by TLS needs."""
    add_options(parser, "on", "tls_ca", "tls_cert", "tls_key")


def scheduler(text: str) -> str:
    """The type of a Dask scheduler's address."""
    scheme, found, rest = text.rpartition("://")
    if scheme not in ("tcp", "tls") or not found or not rest.rpartition(":")[2].isdecimal():
        raise ArgumentTypeError(f"expected tls://HOST:PORT, or tcp://HOST:PORT, not {text!r}")
    return text


def add_binary(parser: argparse.ArgumentParser) -> None:
    """BINARY."""
    parser.add_argument(
        "binary",
        type=program,
        metavar="BINARY",
        help="a qemu-system binary: a path, or a name on PATH",
    )


_SHARED: Mapping[str, tuple[tuple[str, ...], Mapping[str, Any]]] = {
    "n": (("-n",), {"type": whole(0), "metavar": "N", "help": "how many devices"}),
    "scenario": (
        ("--scenario",),
        {"metavar": "NAME", "help": "a family of domains, as in disks or disks@pc"},
    ),
    "task": (("--task",), {"metavar": "NAME", "help": "what is done to a domain, as in define or start"}),
    "policy": (("--policy",), {"metavar": "NAME", "help": "which steps share one lookup"}),
    "validity": (("--validity",), {"metavar": "NAME", "help": "how a cached answer is checked"}),
    "json": (("--json",), {"action": "store_true", "help": "print one JSON object"}),
    "content": (
        ("--content",),
        {
            "type": content_folders,
            "default": SHIPPED,
            "metavar": "DIR",
            "help": "a folder of your own scenarios/, bench/, reports/",
        },
    ),
    "seed": (("--seed",), {"type": int, "metavar": "N", "help": "draws whatever is random"}),
    "scratch": (("--scratch",), {"type": Path, "metavar": "DIR", "help": "where domains are saved"}),
    "quiet": (("-q", "--quiet"), {"action": "store_true", "help": "no progress and no notes, warnings only"}),
    "verbose": (
        ("-v", "--verbose"),
        {"action": "store_true", "help": "progress as lines, also where there is no terminal"},
    ),
    "color": (
        ("--color",),
        {"choices": ("auto", "always", "never"), "help": "of tables and progress"},
    ),
    "force": (("--force",), {"action": "store_true", "help": "write over results that are there"}),
    "strict": (
        ("--strict",),
        {"action": "store_true", "help": "status 3 if something could not be decided"},
    ),
    "counts_only": (("--counts-only",), {"action": "store_true", "help": "read no clock"}),
    "pairs": (("--pairs",), {"type": whole(1, 100_000), "metavar": "N", "help": "how often both are timed"}),
    "deadline": (
        ("--deadline",),
        {"type": deadline, "metavar": "SECONDS", "help": "give up after so many"},
    ),
    "store": (
        ("--store",),
        {
            "type": Path,
            "metavar": "FILE",
            "help": "the history's file, on a local disk",
        },
    ),
    "repo": (
        ("--repo",),
        {
            "type": existing_path,
            "default": Path(),
            "metavar": "DIR",
            "help": "where revisions are from (default: .)",
        },
    ),
    "hang": (
        ("--hang",),
        {"type": seconds, "default": 120.0, "metavar": "SECONDS", "help": "longest block (120)"},
    ),
    "suite": (("--suite",), {"metavar": "NAME", "help": "a module in bench/suites/"}),
    "seconds": (("--seconds",), {"type": seconds, "metavar": "S", "help": "stop after so many"}),
    "capabilities": (
        ("--capabilities",),
        {
            "type": existing_path,
            "metavar": "CACHEFILE",
            "help": "what QEMU can do, from a libvirt cache file (default: recorded ones, by architecture)",
        },
    ),
    "host": (
        ("--host",),
        {
            "type": existing_path,
            "metavar": "FACTS.json",
            "help": "what validation asks of the host, where it is not this one (docs/host-facts.md)",
        },
    ),
    "release": (
        ("--release",),
        {
            "type": release,
            "metavar": "X.Y",
            "help": "the libvirt whose rules hold: 9.0, 11.3 or 12.8 (default: the policy's, else 12.8)",
        },
    ),
    "on": (
        ("--on",),
        {
            "type": scheduler,
            "metavar": "ADDRESS",
            "help": "the hosts of this Dask scheduler, as in tls://HOST:8786 (docs/cluster.md)",
        },
    ),
    "tls_ca": (
        ("--tls-ca",),
        {"type": existing_path, "metavar": "FILE", "help": "who signed its certificate"},
    ),
    "tls_cert": (
        ("--tls-cert",),
        {"type": existing_path, "metavar": "FILE", "help": "our certificate for it"},
    ),
    "tls_key": (("--tls-key",), {"type": existing_path, "metavar": "FILE", "help": "our certificate's key"}),
    "emulator": (("--emulator",), {"metavar": "PATH", "help": "stands in for every file's <emulator>"}),
}


def add_reference_options(parser: argparse.ArgumentParser) -> None:
    """--release, --policy, --validity, --capabilities, --emulator, --host."""
    add_options(parser, "capabilities", "emulator", "host", "release", policy="naive", validity="ctime")


def print_json(what: str, plain: Mapping[str, Any], *, indent: int | None = 2) -> None:
    """One JSON object on standard output that says what it is: `"schema": "qcaps/<what>/1"`."""
    print(json.dumps({"schema": f"qcaps/{what}/1", **plain}, indent=indent), flush=True)


def reference_from(
    args: argparse.Namespace, directory: Path, watch: Watch | None = None, facts: HostFacts | None = None
) -> QemuDriver:
    """The reference driver those options describe, its files below `directory`.

    Without `--host` the facts are `facts`, or this machine's.
    """
    from qcaps.driver.facts import facts_from, facts_of_host  # `--help` need not pay for the pipeline
    from qcaps.driver.reference import reference  # likewise

    return reference(
        directory,
        policy=args.policy,
        validity=args.validity,
        capabilities=args.capabilities,
        emulator=args.emulator,
        release=ruled_by(args.release),
        facts=facts_from(args.host) if args.host else facts or facts_of_host(),
        watch=watch,
    )


def driver_from(args: argparse.Namespace) -> Driver:
    """The library's driver that those options describe, with a temporary folder."""
    from qcaps.library.driver import Driver  # `--help` need not pay for the pipeline

    return Driver(
        args.policy,
        validity=args.validity,
        capabilities=args.capabilities,
        emulator=args.emulator,
        release=ruled_by(args.release),
        host=args.host,
    )


def ruled_by(asked: Release | None) -> Release | None:
    """The release whose rules hold for the one asked for; a note says where it is another."""
    from qcaps.commands.terminal import note  # not for --help
    from qcaps.release import modelled  # likewise

    if asked is None:
        return None
    found = modelled(asked)
    if found.warning:
        note(f"warning: {found.warning}")
    return found.release
