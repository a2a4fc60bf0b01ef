"""What commands that build revisions share: whose, how, where builds are kept, and their list."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qcaps.commands.options import add_options, number, print_json, seconds
from qcaps.errors import UsageError

if TYPE_CHECKING:
    import argparse

    from qcaps.measure.gate.libvirt_builds import Recipe

EXAMPLE = "meson setup build -Ddriver_qemu=enabled && ninja -C build"


def add_building(parser: argparse.ArgumentParser) -> None:
    """--repo, --build, --build-limit, --builds, --builds-limit."""
    add_options(parser, "repo")
    parser.add_argument(
        "--build",
        metavar="COMMAND",
        default="",
        help=f"revisions are a libvirt's, and a shell builds one so in its worktree, as in '{EXAMPLE}'",
    )
    parser.add_argument(
        "--build-limit",
        type=seconds,
        metavar="SECONDS",
        default=3600.0,
        help="how long such a build may take (default: 3600)",
    )
    parser.add_argument("--builds", type=Path, metavar="DIR", help="where builds are kept (default: a cache)")
    parser.add_argument(
        "--builds-limit",
        type=number(0, 100_000, "gigabytes"),
        metavar="GB",
        default=10.0,
        help="above so much the builds used longest ago go (default: 10)",
    )


def recipe_of(args: argparse.Namespace) -> Recipe | None:
    """How revisions of a libvirt are built; None where revisions are of qcaps. Raises UsageError."""
    from qcaps.measure.gate.libvirt_builds import Recipe

    if args.build:
        return Recipe(args.build, args.build_limit, args.builds_limit)
    if (args.repo / "src" / "qemu" / "qemu_capabilities.c").is_file():
        raise UsageError(f"{args.repo} is a libvirt: --build says how it is built, as in --build '{EXAMPLE}'")
    return None


def list_builds(args: argparse.Namespace) -> int:
    """A line for each build, the one used last first; the exit status."""
    from dataclasses import asdict
    from datetime import datetime

    from qcaps.measure.gate import builds, revisions

    place = args.builds or revisions.default_builds()
    found = builds.listed(place)
    if args.json:
        plain = [{**asdict(one), "folder": str(one.folder)} for one in found]
        print_json("builds", {"folder": str(place), "limit_gb": args.builds_limit, "builds": plain})
        return 0
    for one in found:
        used = datetime.fromtimestamp(one.used).astimezone().isoformat(" ", "minutes")
        about = f"  {one.what}, built in {one.seconds:.0f} s" if one.what else ""
        print(f"{one.folder.name}  {one.size / 1e6:.0f} MB  used {used}{about}")
    size = sum(one.size for one in found) / 1e9
    print(f"{place}: {len(found)} builds, {size:.2f} GB; above {args.builds_limit:g} GB the oldest go")
    return 0
