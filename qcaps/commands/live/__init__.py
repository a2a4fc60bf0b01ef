"""`qcaps live`: the libvirt of this machine, counted, timed, and asked what looking up once would buy.

One module an action, as there is one a command.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from qcaps.commands.live import count, probe, watch, whatif

if TYPE_CHECKING:
    import argparse

    from qcaps.commands import CommandModule


class Action(NamedTuple):
    """One line of `qcaps live --help`."""

    name: str
    module: CommandModule
    help: str
    example: str


ACTIONS = (
    Action(
        "count",
        count,
        "count lookups and forks of a task, and hold them against the law",
        "--scenario disks -n 16",
    ),
    Action("whatif", whatif, "time a task as it is against one lookup a task", "guest.xml"),
    Action(
        "watch", watch, "show the lookups a second of a daemon that runs, by task", "qemu:///system --yes"
    ),
    Action("probe", probe, "hold our probe of a QEMU against libvirt's", "/usr/bin/qemu-system-x86_64"),
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
        action.module.configure(one)
    parser.epilog = "Example: qcaps live count --scenario disks -n 16"


def run(args: argparse.Namespace) -> int:
    """Carry the action out; 0 done, 1 if libvirt refused, or looked up more often than its law."""
    action: Action = args.action
    return action.module.run(args)
