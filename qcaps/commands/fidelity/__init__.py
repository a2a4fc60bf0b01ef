"""`qcaps fidelity`: the reference beside what a real libvirt makes of the same domains."""

from __future__ import annotations

from argparse import ArgumentTypeError
from dataclasses import replace
from typing import TYPE_CHECKING

from qcaps.commands.fidelity.live import EMULATOR, opened_witness, prepare, subject_of, truths
from qcaps.commands.naming import add_libvirt_to_ask
from qcaps.commands.options import (
    Output,
    add_options,
    add_reference_options,
    existing_path,
    number,
    print_json,
    reference_from,
    whole,
)
from qcaps.commands.terminal import say
from qcaps.errors import UsageError, unknown
from qcaps.files import scratch_folder

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from qcaps.driver.driver import QemuDriver
    from qcaps.measure.fidelity.comparison import FidelityOutcome, Score
    from qcaps.measure.fidelity.witness import Witness

_SHARE = number(-1e-9, 100, "percent")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "truth",
        nargs="*",
        type=existing_path,
        metavar="PATH",
        help="a folder with in/, defined/ and index.json; with a libvirt, domain files or folders of them",
    )
    parser.add_argument(
        "--live",
        action="store_true",
        help="ask this machine's libvirt (embedded driver); without PATH about every x86 scenario",
    )
    add_libvirt_to_ask(parser)
    parser.add_argument(
        "--mutate", type=whole(1), metavar="N", help="ask about N edits of the files, drawn at random"
    )
    parser.add_argument(
        "--skip", type=whole(0), default=0, metavar="K", help="of these, go on after the first K (0)"
    )
    add_reference_options(parser)
    parser.add_argument("--show", type=whole(0), default=20, metavar="N", help="disagreements to print (20)")
    parser.add_argument(
        "--at-least",
        action="append",
        default=[],
        metavar="NAME=PERCENT",
        help="exit 1 below this, as in devices=99 (answer, devices, lookups, addresses, whole)",
    )
    add_options(parser, "json", "quiet", "verbose", output=Output("DIR"), seed=0)
    parser.epilog = (
        "Example: qcaps fidelity --live\n"
        "Example: qcaps fidelity --live --mutate 2000 --seed 1 guests/\n"
        "Example: qcaps fidelity truth/ --capabilities truth/capabilities/qemu.cache.xml"
        f" --emulator {EMULATOR} --at-least devices=99"
    )


def run(args: argparse.Namespace) -> int:
    """Compare every domain, print the scores and the disagreements."""
    from qcaps.commands.fidelity.shown import (
        Showing,
        as_json,
        chosen,
        print_all,
        write,
    )  # lxml, not for --help
    from qcaps.measure.fidelity.comparison import scores  # likewise
    from qcaps.rules.shared.host_facts import PLAIN_HOST  # likewise

    least = _least(args.at_least)
    subject = subject_of(args)
    with scratch_folder() as scratch:
        if subject:
            prepare(args, subject, scratch)
        driver = reference_from(args, scratch, facts=None if subject else PLAIN_HOST)
        with opened_witness(args, subject) as witness:
            outcomes = list(_outcomes(args, driver, witness))
            showing = Showing(args.show, driver, witness if args.mutate else None)
            shown = chosen(outcomes, showing)
    reached = scores(outcomes)
    if args.output:
        write(args.output, shown)
    if args.json:
        print_json("fidelity", {"release": str(driver.release), **as_json(reached, outcomes, shown)})
    else:
        print_all(reached, outcomes, shown, args.show)
    return _status(reached, least)


def _outcomes(
    args: argparse.Namespace, driver: QemuDriver, witness: Witness | None
) -> Iterator[FidelityOutcome]:
    """File by file; what agrees is kept without its texts."""
    from qcaps.measure.fidelity.comparison import compare  # not for --help

    for truth in truths(args, witness):
        outcome = compare(driver, truth)
        agreed = outcome.agrees and not truth.death
        yield replace(outcome, truth=replace(truth, data=b"", xml=b"")) if agreed else outcome


def _least(asked: list[str]) -> dict[str, float]:
    """The share in percent that each score named has to reach. Raises UsageError."""
    from qcaps.measure.fidelity.comparison import SCORES  # lxml

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


def _status(reached: tuple[Score, ...], least: dict[str, float]) -> int:
    """1 if something is below what was asked for, 2 if there was nothing to say it of."""
    status = 0
    for score in reached:
        wanted = least.get(score.name)
        if wanted is None:
            continue
        if score.share is None:
            say(f"{score.name}: there was nothing to compare, so no verdict on --at-least {score.name}")
            status = status or 2
        elif 100 * score.share < wanted:
            say(f"{score.name} agrees in {score.share:.2%}, below the {wanted} % asked for")
            status = 1
    return status
