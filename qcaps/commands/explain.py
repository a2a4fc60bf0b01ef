"""`qcaps explain`: every lookup of one task, its site and its device."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcaps.bounded import read_bounded
from qcaps.commands.options import (
    add_options,
    add_reference_options,
    existing,
    print_json,
    reference_from,
)
from qcaps.errors import QcapsError, unknown, visible
from qcaps.files import scratch_folder
from qcaps.measure.worker.naming import describe

if TYPE_CHECKING:
    import argparse

    from qcaps.domain.codec import Element
    from qcaps.lookups.site import Site

TASKS = ("define", "start", "createXML")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("file", type=existing, metavar="FILE", help="a domain in libvirt's XML")
    add_options(parser, "json", task="define")
    add_reference_options(parser)
    parser.epilog = "Example: qcaps scenarios generate simple -o guest.xml && qcaps explain guest.xml"


def run(args: argparse.Namespace) -> int:
    """Run the task once and print its lookups in order."""
    if args.task not in TASKS:
        raise unknown("task", args.task, TASKS)
    seen: list[dict[str, object]] = []

    def watch(site: Site, device: Element | None) -> None:
        seen.append(
            {
                "number": len(seen) + 1,
                "site": site.value,
                "device": None if device is None else visible(describe(device)),
                "line": device.line or None if device is not None else None,
            }
        )

    with scratch_folder() as scratch:
        driver = reference_from(args, scratch, watch=watch)
        data = read_bounded(args.file)
        try:
            driver.warm(data, args.file)
            if args.task == "createXML":
                driver.create_xml(data, args.file)
            else:
                name = driver.define(data, args.file).domain.name
                if args.task == "start":
                    seen.clear()
                    driver.start(name)
        except QcapsError as error:
            text = str(error)
            raise QcapsError(text if text.startswith(args.file) else f"{args.file}: {text}") from error
    if args.json:
        from qcaps.driver.facts import plain  # not for --help

        host = plain(driver.facts)
        print_json(
            "explain",
            {
                "task": args.task,
                "policy": args.policy,
                "release": str(driver.release),
                "host": host,
                "lookups": seen,
            },
        )
        return 0
    for one in seen:
        place = "" if one["device"] is None else f"  {one['device']}"
        line = "" if one["line"] is None else f"  (line {one['line']})"
        print(f"{one['number']:>4}  {one['site']}{place}{line}")
    print(f"{len(seen)} lookups in one {args.task} of libvirt {driver.release} under '{args.policy}'")
    return 0
