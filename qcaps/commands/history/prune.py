"""`qcaps history prune`: what is dropped is said."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcaps.commands.history.known import add_environment
from qcaps.commands.options import add_options, print_json
from qcaps.errors import UsageError

if TYPE_CHECKING:
    import argparse


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the action's arguments."""
    parser.add_argument("--before", metavar="REV", default="", help="what lies before this revision")
    parser.add_argument(
        "--benchmark", metavar="GLOB", default="", help="benchmarks of such names, as 'disks/*'"
    )
    add_environment(parser)
    parser.add_argument("--list", action="store_true", help="say what environments there are")
    parser.add_argument("--dry-run", action="store_true", help="say what would go, and drop nothing")
    add_options(parser, "json")


def run(args: argparse.Namespace) -> int:
    """Drop, or say what would be."""
    from qcaps.history import pruning, records  # `--help` need not pay for any of this
    from qcaps.history.store import reading, writing

    if args.list:
        with reading(args.store) as store:
            found = records.environments(store)
        if args.json:
            print_json("history-environments", {str(number): facts for number, facts in found.items()})
        for number, facts in found.items() if not args.json else ():
            print(f"{number}  {', '.join(facts.values())}")
        return 0
    if not (args.before or args.benchmark or args.environment):
        raise UsageError("what is to go? --before REV, --benchmark GLOB, --environment N, or several of them")
    with reading(args.store):
        pass  # to make a store only to prune it would be a surprise
    with writing(args.store) as store:
        pruned = pruning.prune(
            store,
            before=args.before,
            benchmark=args.benchmark,
            environment=args.environment,
            rehearse=args.dry_run,
        )
    if args.json:
        print_json("history-prune", {"dry_run": args.dry_run, **pruned.to_plain()})
        return 0
    print(
        f"{'would drop' if args.dry_run else 'dropped'}: {pruned.pairs} pairs, {pruned.counts} counts,"
        f" {pruned.gaps} gaps"
    )
    for what, names in (("revisions", pruned.revisions), ("benchmarks", pruned.benchmarks)):
        if names:
            print(f"{what}: {', '.join(names)}")
    return 0
