"""`qcaps live count`: lookups and forks of a task, held against the law."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from qcaps.commands.live.cells import add_cells, cells_of
from qcaps.commands.live.output import facts, print_table, with_progress
from qcaps.commands.live.subject import add_daemon, add_libvirt, subject_of
from qcaps.commands.naming import add_yes
from qcaps.commands.options import add_options, print_json
from qcaps.commands.terminal import say
from qcaps.errors import UsageError

if TYPE_CHECKING:
    import argparse


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the action's arguments."""
    add_libvirt(parser)
    add_cells(parser)
    add_daemon(parser)
    parser.add_argument("--uri", help="a daemon that runs; its log settings are changed, and put back")
    add_yes(parser)
    parser.add_argument(
        "--counting",
        choices=("interposer", "log", "uprobes"),
        help="by which way (default: the best there is)",
    )
    parser.add_argument(
        "--syscalls", action="store_true", help="system calls too, by strace (embedded driver only)"
    )
    add_options(parser, "json", "quiet", "verbose", color="auto")


def run(args: argparse.Namespace) -> int:
    """1 if libvirt refused, or looked up more often than its law."""
    from qcaps.live.count import STORM, UNSETTLED, Count, count  # `--help` need not pay for lxml

    cells, domains = cells_of(args)
    if args.syscalls and (args.daemon or args.uri):
        raise UsageError("--syscalls watches the embedded driver only: leave out --daemon and --uri")
    with subject_of(args, args.counting) as subject:
        counts = [
            Count(cell.scenario, cell.n, cell.task, error=cell.refusal)
            if cell.refusal
            else count(subject, cell.scenario, cell.n, cell.task, cell.xml, syscalls=args.syscalls)
            for cell in with_progress(cells)
        ]
        about = facts(subject)
    hosts = _hosts_own_storm(args)
    rows = [
        {
            **asdict(one),
            "verdict": one.verdict,
            "storm": one.storm,
            "system_calls": sum(one.syscalls.values()) if one.syscalls else None,
        }
        for one in counts
    ]
    columns: tuple[str, ...] = ("scenario", "n", "task", "devices", "lookups", "law", "forks")
    if args.json:
        print_json("live-count", {**about, "host_storms": bool(hosts), "counts": rows})
    else:
        print_table(about, rows, (*columns, *(("system_calls",) if args.syscalls else ()), "verdict"))
    for one in counts:
        if one.error is not None:
            say(f"{one.scenario} -n {one.n} {one.task}: {one.error}")
    for line in domains.beyond((one.scenario, one.n) for one in counts if one.error is not None):
        say(line)
    more = [one for one in counts if one.verdict == "more"]
    if more:
        say(
            f"libvirt {about['libvirt']} looks up more often than the law: {len(more)} of {len(counts)} cells"
        )
    if not all(one.settled for one in counts):
        say(f"warning: {UNSETTLED}")
    if any(one.storm for one in counts):
        say(f"warning: {STORM}")
    if hosts:
        say(f"warning: not here, but on this host's own libvirt: {hosts}")
    return 1 if more or any(one.error is not None for one in counts) else 0


def _hosts_own_storm(args: argparse.Namespace) -> str:
    """What a private /dev/kvm hides: why each lookup of the host's libvirt would probe, or ""."""
    if args.uri is not None or os.geteuid() != 0:  # a running daemon shows it itself; our own user is QEMU's
        return ""
    from qcaps.cache.machine import machine_below, storm_of

    machine = machine_below(Path("/"), {}, 0, presume=True)
    return storm_of(machine) if machine.storms else ""
