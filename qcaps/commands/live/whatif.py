"""`qcaps live whatif`: what looking up once a task would buy; the short name of a `qcaps run`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcaps.commands import run as measuring
from qcaps.commands.options import folder

if TYPE_CHECKING:
    import argparse


def configure(parser: argparse.ArgumentParser) -> None:
    """The arguments of `qcaps run`, with other defaults."""
    measuring.add_arguments(parser, folder("qcaps-whatif"), subject="libvirt")
    parser.description = (
        "Time each task as this libvirt does it against the same with one lookup, in one process:\n"
        "'qcaps run WHAT --subject libvirt --policy stock once', and what all of them come to."
    )


def run(args: argparse.Namespace) -> int:
    """Measure, the slowest first in the table."""
    args.subject = args.subject or ["libvirt"]
    args.policy = args.policy or ["stock", "once"]
    args.processes = args.processes or 1
    return measuring.measure_and_report(args, worst_first=True)
