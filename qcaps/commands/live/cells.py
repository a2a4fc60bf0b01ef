"""The cells of `qcaps live`: every combination of scenario, n and task that was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from qcaps.commands.options import add_many, add_options
from qcaps.errors import unknown

if TYPE_CHECKING:
    import argparse


class LiveCell(NamedTuple):
    """`xml` is the domain."""

    scenario: str
    n: int
    task: str
    xml: str


def add_cells(parser: argparse.ArgumentParser) -> None:
    """--scenario, -n, --task, --seed, --content."""
    add_many(parser, scenario=["disks"], n=[0, 16, 128], task=["define"])
    add_options(parser, "content", seed=0)


def cells_of(args: argparse.Namespace) -> list[LiveCell]:
    """Every combination; raises UsageError before anything is started."""
    from qcaps.live.tasks import TASKS  # lxml
    from qcaps.scenario import scenario

    for task in args.task:
        if task not in TASKS:
            raise unknown("task", task, TASKS)
    return [
        LiveCell(name, n, task, scenario(name, args.content).xml(n, args.seed))
        for name in args.scenario
        for n in args.n
        for task in args.task
    ]
