"""`qcaps doctor`: what this machine can measure, and how noisy it is; nothing is installed or changed."""

from __future__ import annotations

import sys
import textwrap
from dataclasses import asdict
from shutil import get_terminal_size
from typing import TYPE_CHECKING

from qcaps.commands.options import add_cluster, add_options, print_json

if TYPE_CHECKING:
    import argparse

    from qcaps.commands.doctor.finding import Finding

_NARROWEST, _IN_A_PIPE = 40, 10_000


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_options(parser, "json")
    parser.add_argument(
        "--config", action="store_true", help="say what the configuration here sets, and by which line"
    )
    add_cluster(parser)
    parser.epilog = "Example: qcaps doctor --json\n         qcaps doctor --on tls://scheduler:8786"


def run(args: argparse.Namespace) -> int:
    """Print the findings; a warning is no failure, since most of qcaps needs none of it."""
    if args.config:
        from qcaps.commands.doctor import settings

        return settings.show(as_json=args.json)
    if args.on:
        return _of_hosts(args)
    findings = examine()
    if args.json:
        print_json("doctor", {"findings": [asdict(one) for one in findings]})
    else:
        print("\n".join(_line(one) for one in findings))
    return 0


def _of_hosts(args: argparse.Namespace) -> int:
    """The table of all hosts; where they differ, it says so."""
    from qcaps.commands.doctor import hosts
    from qcaps.commands.joining import joined
    from qcaps.commands.terminal import console

    with joined(args, alike=False) as cluster:
        found = hosts.examine(cluster)
    if args.json:
        plain = {host: [asdict(one) for one in findings] for host, findings in found.items()}
        print_json("doctor-hosts", {"hosts": plain})
        return 0
    for table in hosts.tables(found):
        console().print(table)
    for named, one in hosts.warnings(found):
        print(f"{named}: {one.name}: {one.text}" + (f"\n    -> {one.advice}" if one.advice else ""))
    return 0


def examine() -> tuple[Finding, ...]:
    """Every finding, the cheap ones first; takes at most about three seconds."""
    from qcaps.commands.doctor import libvirt, noise, this_machine  # numpy, that `--help` need not pay for

    return tuple(check() for check in (*this_machine.CHECKS, *libvirt.CHECKS, *noise.CHECKS))


def _line(finding: Finding) -> str:
    """Wrapped to the terminal; an advice is a command to copy, and stays in one line."""
    first = f"{'ok  ' if finding.ok else 'warn'} {finding.name:14} "
    width = max(get_terminal_size().columns, _NARROWEST) if sys.stdout.isatty() else _IN_A_PIPE
    said = textwrap.fill(
        finding.text, width, initial_indent=first, subsequent_indent=" " * len(first),
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
    return said + (f"\n{'':20}-> {finding.advice}" if finding.advice else "")
