"""Arguments that several commands share, and what they stand for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from qcaps.driver.driver import Driver
    from qcaps.lookups.lookup import Watch


def add_reference_options(parser: argparse.ArgumentParser) -> None:
    """--policy, --validity, --capabilities, --emulator."""
    parser.add_argument("--policy", default="naive", help="which sites share one lookup (default: naive)")
    parser.add_argument("--validity", default="ctime", help="how an entry is checked (default: ctime)")
    parser.add_argument(
        "--capabilities",
        type=Path,
        metavar="CACHEFILE",
        help="what QEMU can do, from a libvirt cache file (default: recorded ones, by architecture)",
    )
    parser.add_argument("--emulator", metavar="PATH", help="stands in for every file's <emulator>")


def reference_from(args: argparse.Namespace, directory: Path, watch: Watch | None = None) -> Driver:
    """The reference driver those options describe, its files below `directory`."""
    from qcaps.driver.reference import reference  # `--help` need not pay for the pipeline

    return reference(
        directory,
        policy=args.policy,
        validity=args.validity,
        capabilities=args.capabilities,
        emulator=args.emulator,
        watch=watch,
    )
