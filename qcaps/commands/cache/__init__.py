"""`qcaps cache`: what libvirt keeps of each QEMU, and whether it still holds.

One module an action, as there is one a command.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcaps.commands.cache import check

if TYPE_CHECKING:
    import argparse


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's actions and their arguments."""
    parser.description = "Judge the entries that this machine's libvirt keeps of what each QEMU can do."
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    one = actions.add_parser(
        "check",
        help="hold every entry against its binary and the host, as libvirt does at each lookup",
        description="Hold every entry of libvirt's cache against module directory, libvirt itself, binary,\n"
        "/dev/kvm as QEMU's user, CPU, microcode, kernel and KVM's parameters, in libvirt's order.\n"
        "Nothing is written. A binary whose entry does not hold is probed once: that is the next lookup.",
        epilog="Exit status 1 if an entry is stale or broken, or every lookup probes.\n"
        "Example: qcaps cache check --cold",
    )
    check.configure(one)
    parser.epilog = "Example: qcaps cache check"


def run(args: argparse.Namespace) -> int:
    """Carry the action out."""
    return check.run(args)
