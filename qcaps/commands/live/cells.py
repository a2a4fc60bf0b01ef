"""The cells of `qcaps live`: every combination of scenario, n and task that was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from qcaps.commands.naming import add_domains, domains_of
from qcaps.commands.options import add_many, add_options
from qcaps.errors import unknown

if TYPE_CHECKING:
    import argparse

    from qcaps.measure.domains import DomainSources


_USUAL = (0, 16, 128)


class LiveCell(NamedTuple):
    """`xml` is the domain; where its file holds none, `refusal` says why."""

    scenario: str
    n: int
    task: str
    xml: str
    refusal: str = ""


def add_cells(parser: argparse.ArgumentParser) -> None:
    """Domains, --scenario, -n, --task, --seed, --grow, --content."""
    parser.add_argument(
        "what", nargs="*", metavar="WHAT", help="scenarios, domain files, folders of these, or -"
    )
    add_many(parser, scenario=[], n=[], task=["define"])
    add_domains(parser)
    add_options(parser, "content", seed=0)


def cells_of(args: argparse.Namespace) -> tuple[list[LiveCell], DomainSources]:
    """Every combination, and where their domains are from; raises UsageError before anything is started.

    Without an n a scenario comes at 0, 16 and 128, a file as it is.
    """
    from qcaps.live.tasks import TASKS  # lxml

    for task in args.task:
        if task not in TASKS:
            raise unknown("task", task, TASKS)
    domains, names = domains_of((*args.what, *args.scenario) or ("disks",), args)
    cells = []
    for name in names:
        refusal = domains.refusal(name)
        ns = (0,) if name in domains.guests and not args.grow else _USUAL
        for n in (0,) if refusal else args.n or ns:
            xml = "" if refusal else domains.get(name).xml(n, args.seed)
            cells += [LiveCell(name, n, task, xml, refusal) for task in args.task]
    return cells, domains
