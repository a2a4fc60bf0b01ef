"""`qcaps define`: domain files through the reference driver."""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from qcaps.commands.options import add_options, add_reference_options, domain_file, driver_from, print_json
from qcaps.commands.terminal import note, say
from qcaps.errors import QcapsError

if TYPE_CHECKING:
    import argparse

    from qcaps.library.driver import Driver


@dataclass(frozen=True)
class Defined:
    """What became of one file. `devices` counts the children of `<devices>` but the emulator."""

    file: str
    accepted: bool
    error: str | None
    devices: int | None
    lookups: int | None
    forks: int | None
    sites: dict[str, int] | None
    xml: str | None


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "files", nargs="+", type=domain_file, metavar="FILE", help="a domain in libvirt's XML, or -"
    )
    add_reference_options(parser)
    add_options(parser, "json", "quiet")
    parser.epilog = "Example: qcaps define guest.xml --policy once --validity ctime"


def run(args: argparse.Namespace) -> int:
    """Define each file; 0 when all were accepted, 1 when some were refused."""
    results: list[Defined] = []
    with driver_from(args) as driver:
        for file in args.files:
            result = define_file(driver, file)
            results.append(result)
            if args.json:
                continue
            if result.accepted:
                print(_printable(result.xml), end="")
                counts = f"{result.devices} devices, {result.lookups} lookups, {result.forks} forks"
                note(f"{file}: {counts} by the rules of libvirt {driver.release}")
            else:
                say(str(result.error))
        if args.json:
            from qcaps.driver.facts import plain  # not for --help

            print_json(
                "define",
                {
                    "release": str(driver.release),
                    "host": plain(driver.facts),
                    "files": [asdict(one) for one in results],
                },
            )
    return 0 if all(one.accepted for one in results) else 1


def define_file(driver: Driver, file: str) -> Defined:
    """Defines one file and forgets it again, so that files with one name do not meet."""
    try:
        done = driver.define(file)
        driver.undefine(done.name)
    except QcapsError as error:
        return _refused(file, str(error))
    return Defined(
        file=file,
        accepted=True,
        error=None,
        devices=done.devices,
        lookups=done.lookups,
        forks=done.forks,
        sites=done.sites,
        xml=done.xml,
    )


def _printable(xml: str | None) -> str:
    """The XML with what standard output cannot spell as references, which any reader of XML takes back."""
    encoding = sys.stdout.encoding or "utf-8"
    return (xml or "").encode(encoding, "xmlcharrefreplace").decode(encoding)


def _refused(file: str, error: str) -> Defined:
    return Defined(file, False, " ".join(error.split()), None, None, None, None, None)
