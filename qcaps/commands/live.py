"""`qcaps live`: the libvirt of this machine, counted, timed, and asked what looking up once would buy."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from qcaps.commands import _live, _live_pairs, _live_watch
from qcaps.commands._measuring import add_force_option

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable


class Action(NamedTuple):
    """One line of `qcaps live --help`."""

    name: str
    do: Callable[[argparse.Namespace], int]
    help: str
    example: str


ACTIONS = (
    Action(
        "count",
        _live.count,
        "count lookups and forks of a task, and hold them against the law",
        "--scenario disks -n 16",
    ),
    Action(
        "time", _live.time, "time a task, and say which share of it is lookups", "--scenario serials -n 128"
    ),
    Action(
        "whatif", _live.whatif, "time a task as it is against one lookup a task", "--scenario disks -n 0 128"
    ),
    Action(
        "gate",
        _live_pairs.gate,
        "hold two builds against each other: counts exactly, times in pairs",
        "--base-libvirt /opt/libvirt-old --head-libvirt ~/libvirt/build",
    ),
    Action(
        "overhead", _live_pairs.overhead, "say how much longer a task takes while it is counted", "-n 0 128"
    ),
    Action(
        "watch",
        _live_watch.watch,
        "show the lookups a second of a daemon that runs, by task",
        "qemu:///system --yes",
    ),
    Action("probe", _live.probe, "hold our probe of a QEMU against libvirt's", "/usr/bin/qemu-system-x86_64"),
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's actions and their arguments."""
    parser.description = (
        "Run the tasks of the reference on this machine's own libvirt, unmodified, in a process of ours.\n"
        "Nothing on the host changes; no daemon is needed."
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    for action in ACTIONS:
        one = actions.add_parser(
            action.name,
            help=action.help,
            description=action.help[0].upper() + action.help[1:] + ".",
            epilog=f"Example: qcaps live {action.name} {action.example}",
        )
        one.set_defaults(action=action, daemon=False, uri=None, yes=False)
        if action.name != "gate":
            one.add_argument(
                "--libvirt", type=Path, metavar="DIR", help="a prefix or a build tree (default: /usr)"
            )
        one.add_argument("--json", action="store_true", help="print one JSON object")
        _ARGUMENTS[action.name](one)
    parser.epilog = "Example: qcaps live count --scenario disks -n 16"


def run(args: argparse.Namespace) -> int:
    """Carry the action out; 0 done, 1 if libvirt refused, or looked up more often than its law."""
    action: Action = args.action
    return action.do(args)


def _add_cells(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--scenario", nargs="+", default=["disks"], metavar="NAME", help="as in disks or disks@pc"
    )
    parser.add_argument("-n", nargs="+", type=int, default=[0, 16, 128], help="devices (default: 0 16 128)")
    parser.add_argument(
        "--task",
        nargs="+",
        default=["define"],
        metavar="NAME",
        help="define, undefine, attach, ...; start and createXML start real guests, tiny and paused",
    )
    parser.add_argument("--seed", type=int, default=0, help="draws random devices")
    parser.add_argument("--content", type=Path, metavar="DIR", help="your own scenarios/")


def _add_daemon(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--daemon", action="store_true", help="a daemon of our own in place of the embedded driver (as root)"
    )


def _add_count(parser: argparse.ArgumentParser) -> None:
    _add_cells(parser)
    _add_daemon(parser)
    parser.add_argument("--uri", help="a daemon that runs; its log settings are changed, and put back")
    parser.add_argument("--yes", action="store_true", help="the daemon behind --uri may be a system's")
    parser.add_argument(
        "--counting",
        choices=("interposer", "log", "uprobes"),
        help="by which way (default: interposer, or log where there is no C compiler; of --uri, log)",
    )
    parser.add_argument(
        "--syscalls", action="store_true", help="system calls too, by strace (embedded driver only)"
    )


def _add_runs(parser: argparse.ArgumentParser) -> None:
    _add_cells(parser)
    _add_daemon(parser)
    parser.add_argument("--runs", type=int, default=40, help="of each task (default: %(default)s)")
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="keep every call in a results file, for qcaps report"
    )
    add_force_option(parser)


def _add_watch(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("uri", metavar="URI", help="the daemon; its log settings are changed, and put back")
    parser.add_argument("--yes", action="store_true", help="the daemon may be a system's")
    parser.add_argument(
        "--counting", choices=("log", "uprobes"), help="by which way (default: log, or uprobes without it)"
    )
    parser.add_argument(
        "--every", type=float, default=1.0, metavar="S", help="seconds between two readings (1)"
    )
    parser.add_argument("--seconds", type=float, metavar="S", help="end by itself (default: Ctrl-C ends it)")


def _add_binary(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("binary", metavar="BINARY", help="a qemu-system binary: a path, or a name on PATH")


def _add_overhead(parser: argparse.ArgumentParser) -> None:
    _add_cells(parser)
    parser.add_argument("--pairs", type=int, default=48, help="of each way (default: %(default)s)")


def _add_gate(parser: argparse.ArgumentParser) -> None:
    _add_cells(parser)
    for side in ("base", "head"):
        parser.add_argument(
            f"--{side}-libvirt", type=Path, metavar="DIR", help="a prefix or a build tree (default: /usr)"
        )
    parser.add_argument("--counts-only", action="store_true", help="read no clock")
    parser.add_argument(
        "--delta", type=float, default=1.0, metavar="PERCENT", help="slower by more is a regression (1)"
    )
    parser.add_argument(
        "--margin", type=float, default=3.0, metavar="PERCENT", help="slower by surely less passes (3)"
    )
    parser.add_argument("--strict", action="store_true", help="status 3 if something could not be decided")


_ARGUMENTS = {
    "count": _add_count,
    "time": _add_runs,
    "whatif": _add_runs,
    "gate": _add_gate,
    "overhead": _add_overhead,
    "watch": _add_watch,
    "probe": _add_binary,
}
