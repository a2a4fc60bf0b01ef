"""`qcaps explain`: every lookup of one task, its site and its device."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcaps.commands.options import add_options, add_reference_options, domain_file, driver_from, print_json
from qcaps.errors import visible

if TYPE_CHECKING:
    import argparse

    from qcaps.library.outcome import NamedLookup


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("file", type=domain_file, metavar="FILE", help="a domain in libvirt's XML, or -")
    add_options(parser, "json", task="define")
    add_reference_options(parser)
    parser.epilog = "Example: qcaps scenarios generate simple -o guest.xml && qcaps explain guest.xml"


def run(args: argparse.Namespace) -> int:
    """Run the task once and print its lookups in order."""
    from qcaps.library.explain import check_task, outcome_of  # `--help` need not pay for the pipeline

    check_task(args.task)
    with driver_from(args) as driver:
        explained = outcome_of(driver, args.file, args.task).explained
        if args.json:
            from qcaps.driver.facts import plain

            print_json(
                "explain",
                {
                    "task": args.task,
                    "policy": args.policy,
                    "release": str(driver.release),
                    "host": plain(driver.facts),
                    "lookups": [_plain(one) for one in explained],
                },
            )
            return 0
        for one in map(_plain, explained):
            place = "" if one["device"] is None else f"  {one['device']}"
            line = "" if one["line"] is None else f"  (line {one['line']})"
            print(f"{one['number']:>4}  {one['site']}{place}{line}")
        lookups = f"{len(explained)} lookup{'' if len(explained) == 1 else 's'}"
        print(f"{lookups} in one {args.task} of libvirt {driver.release} under '{args.policy}'")
    return 0


def _plain(one: NamedLookup) -> dict[str, object]:
    device = None if one.device is None else visible(one.device)
    return {"number": one.number, "site": one.site, "device": device, "line": one.line}
