"""`qcaps fidelity`: the reference beside what a real libvirt makes of the same domains."""

from __future__ import annotations

from argparse import ArgumentTypeError
from typing import TYPE_CHECKING

from qcaps.bounded import read_bounded
from qcaps.commands.live.subject import add_libvirt
from qcaps.commands.options import (
    add_options,
    add_reference_options,
    existing_path,
    number,
    print_json,
    reference_from,
    whole,
)
from qcaps.errors import UsageError, unknown
from qcaps.files import scratch_folder

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from pathlib import Path

    from qcaps.measure.fidelity import FidelityOutcome, Score, Truth

SIZES = (1, 7, 8, 31, 32, 64, 200)
"""Below, at and above what one SCSI controller, USB hub, virtio-serial controller or PCI bridge holds."""

_SHARE = number(-1e-9, 100, "percent")
_EMULATOR = "/usr/bin/qemu-system-x86_64"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "truth",
        nargs="*",
        type=existing_path,
        metavar="PATH",
        help="a folder with in/, defined/ and index.json; with --live, domain files or folders of them",
    )
    parser.add_argument(
        "--live",
        action="store_true",
        help="ask this machine's libvirt (embedded driver); without PATH about every x86 scenario",
    )
    add_libvirt(parser)
    add_reference_options(parser)
    parser.add_argument("--show", type=whole(0), default=20, metavar="N", help="disagreements to print (20)")
    parser.add_argument(
        "--at-least",
        action="append",
        default=[],
        metavar="NAME=PERCENT",
        help="exit 1 below this, as in devices=99 (answer, devices, lookups, addresses, whole)",
    )
    add_options(parser, "json")
    parser.epilog = (
        "Example: qcaps fidelity --live\n"
        "Example: qcaps fidelity truth/ --capabilities truth/capabilities/qemu.cache.xml"
        f" --emulator {_EMULATOR} --at-least devices=99"
    )


def run(args: argparse.Namespace) -> int:
    """Compare every domain, print the scores and the first disagreements."""
    from qcaps.measure.fidelity import compare, scores  # lxml, not for --help
    from qcaps.rules.shared.host_facts import PLAIN_HOST  # likewise

    least = _least(args.at_least)
    if not args.live and len(args.truth) != 1:
        raise UsageError("name one folder of recorded truth, or ask this machine's libvirt with --live")
    if args.libvirt and not args.live:
        raise UsageError("--libvirt names one to ask: add --live")
    with scratch_folder() as scratch:
        if args.live:
            _prepare_live(args, scratch)
        driver = reference_from(args, scratch, facts=None if args.live else PLAIN_HOST)
        outcomes = [compare(driver, truth) for truth in _truths(args)]
    reached = scores(outcomes)
    different = [one for one in outcomes if not _agrees(one)]
    if args.json:
        print_json("fidelity", {"release": str(driver.release), **_plain(reached, different)})
    else:
        _print(reached, different[: args.show], len(different))
    below = [score for score in reached if 100 * score.share < least.get(score.name, 0)]
    for score in below:
        print(f"qcaps: {score.name} agrees in {score.share:.2%}, below the {least[score.name]} % asked for")
    return 1 if below else 0


def _prepare_live(args: argparse.Namespace, scratch: Path) -> None:
    """Both sides are to work on the same QEMU: what the reference knows of it is probed now."""
    from qcaps.capabilities import cachefile  # not for --help
    from qcaps.capabilities.host_stamps import stamps_for  # likewise
    from qcaps.capabilities.probe import probe  # likewise
    from qcaps.capabilities.stamps import Entry  # likewise
    from qcaps.live.host.installation import find  # likewise
    from qcaps.lookups.policy import STOCK_OF, release_under  # likewise
    from qcaps.release import modelled, of_version  # likewise

    if args.release is None and args.policy not in STOCK_OF:
        args.release = of_version(find(args.libvirt).version)
    args.emulator = args.emulator or _EMULATOR
    if args.capabilities is None:
        ruled = release_under(args.policy, modelled(args.release).release if args.release else None)
        found = probe(args.emulator, release=ruled)
        args.capabilities = scratch / "probed.xml"
        cachefile.write(args.capabilities, Entry(found, stamps_for(args.emulator, found)))


def _truths(args: argparse.Namespace) -> Iterator[Truth]:
    from qcaps.measure.fidelity import asked, recorded  # not for --help

    if not args.live:
        yield from recorded(args.truth[0])
        return
    from qcaps.live.host.embedded import Embedded  # needs libvirt

    with Embedded(libvirt=args.libvirt) as subject:
        for name, data in _files(args.truth) if args.truth else _scenarios():
            yield asked(subject, name, data, args.emulator)


def _files(paths: list[Path]) -> Iterator[tuple[str, bytes]]:
    for path in paths:
        for file in sorted(path.glob("*.xml")) if path.is_dir() else [path]:
            yield str(file), read_bounded(file)


def _scenarios() -> Iterator[tuple[str, bytes]]:
    from qcaps.scenario import names, on_every_machine  # not for --help

    for family in names():
        for one in on_every_machine(family):
            if one.arch == "x86_64":
                for n in SIZES:
                    if n <= one.largest:
                        yield f"{one.name} n={n}", one.xml(n).encode()


def _least(asked: list[str]) -> dict[str, float]:
    """The share in percent that each score named has to reach. Raises UsageError."""
    from qcaps.measure.fidelity import SCORES  # lxml

    least: dict[str, float] = {}
    for one in asked:
        name, _, share = one.partition("=")
        if name not in SCORES:
            raise unknown("score", name, SCORES)
        try:
            least[name] = _SHARE(share)
        except ArgumentTypeError as error:
            raise UsageError(f"--at-least {one}: {error}; as in devices=99") from None
    return least


def _agrees(one: FidelityOutcome) -> bool:
    return one.answer and one.whole is not False


def _print(reached: tuple[Score, ...], different: list[FidelityOutcome], of: int) -> None:
    for one in different:
        print(f"{one.truth.name}:")
        if not one.answer:
            print(f"  real:      {one.truth.error or 'accepted'}")
            print(f"  reference: {one.error or 'accepted'}")
        for line in one.difference:
            print(f"  {line}")
    if of > len(different):
        print(f"… and {of - len(different)} more that differ (--show N)")
    for score in reached:
        print(f"{score.name:10} {score.equal:5} of {score.of:5}  {score.share:7.2%}")


def _plain(reached: tuple[Score, ...], different: list[FidelityOutcome]) -> dict[str, object]:
    return {
        "scores": {one.name: {"equal": one.equal, "of": one.of, "share": one.share} for one in reached},
        "differences": [
            {
                "name": one.truth.name,
                "real": one.truth.error or "accepted",
                "reference": one.error or "accepted",
                "difference": one.difference,
            }
            for one in different
        ],
    }
