"""`qcaps scenarios`: list, show and generate families of domains."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from qcaps.commands.options import FILE, add_options, print_json
from qcaps.errors import UsageError
from qcaps.scenario import Scenario, names, scenario

if TYPE_CHECKING:
    import argparse


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("action", choices=("list", "show", "generate"), nargs="?", default="list")
    parser.add_argument("scenario", nargs="?", help="a name from the list, as in disks or disks@pc")
    add_options(parser, "content", "json", n=1, seed=0, output=FILE)
    parser.epilog = "Example: qcaps scenarios generate disks@pc -n 64 -o disks-64.xml"


def run(args: argparse.Namespace) -> int:
    """Carry the command out."""
    if args.action == "list":
        return _list(args)
    if args.scenario is None:
        raise UsageError(f"{args.action} needs a scenario: one of {', '.join(names(args.content))}")
    chosen = scenario(args.scenario, args.content)
    if args.action == "show" and not args.json:
        return _show_one(chosen, args.n, args.seed)
    if args.action == "show":
        return _show([chosen], as_json=True)
    text = chosen.xml(args.n, args.seed)
    if args.output is not None:
        from qcaps.files import replace_file  # only here

        replace_file(args.output, text, named=True)
    if args.json:
        print_json("domain", {"scenario": chosen.name, "n": args.n, "seed": args.seed, "xml": text})
    elif args.output is None:
        print(text, end="")
    return 0


def _list(args: argparse.Namespace) -> int:
    return _show([scenario(name, args.content) for name in names(args.content)], as_json=args.json)


def _show(chosen: list[Scenario], *, as_json: bool) -> int:
    if as_json:
        print_json("scenarios", {"scenarios": [_plain(one) for one in chosen]})
    else:
        for one in chosen:
            steps = ", ".join(map(str, one.steps))
            print(f"{one.name:14} {one.summary}\n{'':14} {one.machine}, n up to {one.largest}, at {steps}")
    return 0


def _show_one(one: Scenario, n: int, seed: int) -> int:
    """What it is, what its domain of n devices becomes, and how to use it."""
    from qcaps.driver.reference import reference  # not for --help
    from qcaps.files import scratch_folder

    text = one.xml(n, seed)
    with scratch_folder() as scratch:
        driver = reference(scratch, policy="naive", validity="ctime")
        driver.warm(text.encode(), one.name)
        done = driver.define(text.encode(), one.name)
    kinds = Counter(type(device).__name__.lower() for device in done.domain.devices.all)
    print(f"{one.name}: {one.summary}")
    print(f"  machine    {one.machine} ({one.arch})")
    print(f"  n          up to {one.largest}, measured at {', '.join(map(str, one.steps))}")
    print(f"  at n = {n}   {sum(kinds.values())} devices, {done.lookups} lookups a define under 'naive'")
    for kind, count in kinds.most_common():
        print(f"             {count:>5} {kind}")
    print(f"  use it     qcaps run {one.name} -n {n}")
    print(f"             qcaps scenarios generate {one.name} -n {n} -o {one.name}-{n}.xml")
    return 0


def _plain(one: Scenario) -> dict[str, object]:
    return {
        "name": one.name,
        "summary": one.summary,
        "arch": one.arch,
        "machine": one.machine,
        "largest": one.largest,
        "steps": one.steps,
    }
