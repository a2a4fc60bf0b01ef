"""`qcaps define`: domain files through the reference driver."""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from qcaps.bounded import read_bounded
from qcaps.commands.options import (
    add_options,
    add_reference_options,
    existing,
    print_json,
    reference_from,
)
from qcaps.commands.terminal import note, say
from qcaps.errors import QcapsError
from qcaps.files import scratch_folder

if TYPE_CHECKING:
    import argparse

    from qcaps.driver.driver import Driver


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
    parser.add_argument("files", nargs="+", type=existing, metavar="FILE", help="a domain in libvirt's XML")
    add_reference_options(parser)
    add_options(parser, "json", "quiet")
    parser.epilog = "Example: qcaps define guest.xml --policy once --validity ctime"


def run(args: argparse.Namespace) -> int:
    """Define each file; 0 when all were accepted, 1 when some were refused."""
    results: list[Defined] = []
    with scratch_folder() as scratch:
        driver = reference_from(args, scratch)
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
        data = read_bounded(file)
        driver.warm(data, file)
        before = driver.cache.counters.forks
        done = driver.define(data, file)
        forks = driver.cache.counters.forks - before
        driver.undefine(done.domain.name)
    except OSError as error:
        return _refused(file, f"{file}: {error.strerror or error}")
    except QcapsError as error:
        text = str(error)
        return _refused(file, text if text.startswith(file) else f"{file}: {text}")
    return Defined(
        file=file,
        accepted=True,
        error=None,
        devices=len(done.domain.devices.all),
        lookups=done.lookups,
        forks=forks,
        sites=done.sites_named(),
        xml=done.xml,
    )


def _printable(xml: str | None) -> str:
    """The XML with what standard output cannot spell as references, which any reader of XML takes back."""
    encoding = sys.stdout.encoding or "utf-8"
    return (xml or "").encode(encoding, "xmlcharrefreplace").decode(encoding)


def _refused(file: str, error: str) -> Defined:
    return Defined(file, False, " ".join(error.split()), None, None, None, None, None)
