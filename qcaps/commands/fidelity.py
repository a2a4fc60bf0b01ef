"""`qcaps fidelity`: the reference beside what a real libvirt made of the same files."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from qcaps.commands._options import add_reference_options, reference_from

if TYPE_CHECKING:
    import argparse

    from qcaps.measure.fidelity import Outcome, Score


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("truth", type=Path, metavar="DIR", help="a folder with in/, defined/ and index.json")
    add_reference_options(parser)
    parser.add_argument("--show", type=int, default=20, metavar="N", help="disagreements to print (20)")
    parser.add_argument(
        "--at-least",
        action="append",
        default=[],
        metavar="NAME=PERCENT",
        help="exit 1 below this, as in devices=99 (answer, devices, lookups, addresses, whole)",
    )
    parser.add_argument("--json", action="store_true", help="scores and disagreements for programs")
    parser.epilog = (
        "Example: qcaps fidelity truth/ --capabilities truth/capabilities/qemu.cache.xml"
        " --emulator /usr/bin/qemu-system-x86_64 --at-least devices=99"
    )


def run(args: argparse.Namespace) -> int:
    """Compare every file, print the scores and the first disagreements."""
    from qcaps.measure.fidelity import compare, scores, truths  # noqa: PLC0415  # lxml, not for --help

    least = _least(args.at_least)
    with tempfile.TemporaryDirectory(prefix="qcaps-fidelity-") as scratch:
        driver = reference_from(args, Path(scratch))
        outcomes = [compare(driver, truth) for truth in truths(args.truth)]
    reached = scores(outcomes)
    different = [one for one in outcomes if not _agrees(one)]
    if args.json:
        print(json.dumps(_plain(reached, different), indent=2))
    else:
        _print(reached, different[: args.show], len(different))
    below = [score for score in reached if 100 * score.share < least.get(score.name, 0)]
    for score in below:
        print(f"qcaps: {score.name} agrees in {score.share:.2%}, below the {least[score.name]} % asked for")
    return 1 if below else 0


def _least(asked: list[str]) -> dict[str, float]:
    from qcaps.errors import UsageError  # noqa: PLC0415  # only here

    try:
        return {name: float(percent) for name, _, percent in (one.partition("=") for one in asked)}
    except ValueError:
        raise UsageError(f"--at-least wants NAME=PERCENT, not {', '.join(asked)}") from None


def _agrees(one: Outcome) -> bool:
    return one.answer and None is not one.whole is not False if one.truth.accepted else one.answer


def _print(reached: tuple[Score, ...], different: list[Outcome], of: int) -> None:
    for one in different:
        print(f"{one.truth.file.name}:")
        if not one.answer:
            print(f"  real:      {one.truth.error or 'accepted'}")
            print(f"  reference: {one.error or 'accepted'}")
        for line in one.difference:
            print(f"  {line}")
    if of > len(different):
        print(f"… and {of - len(different)} more files that differ (--show N)")
    for score in reached:
        print(f"{score.name:10} {score.equal:5} of {score.of:5}  {score.share:7.2%}")


def _plain(reached: tuple[Score, ...], different: list[Outcome]) -> dict[str, object]:
    return {
        "scores": {one.name: {"equal": one.equal, "of": one.of, "share": one.share} for one in reached},
        "differences": [
            {
                "file": one.truth.file.name,
                "real": one.truth.error or "accepted",
                "reference": one.error or "accepted",
                "difference": one.difference,
            }
            for one in different
        ],
    }
