"""`qcaps history`: revision after revision in pairs with an anchor, kept in a store; what changed, and where.

One module an action, as there is one a command; measuring is the one that need not be named.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from qcaps.commands.history import alerts, export, layouts, measure, merge, page, prune, take_in
from qcaps.commands.options import add_options
from qcaps.commands.parser import Parser

if TYPE_CHECKING:
    import argparse

    from qcaps.commands import CommandModule

STORE = "qcaps-history.db"


class HistoryAction(NamedTuple):
    """One line of `qcaps history --help`."""

    name: str
    module: CommandModule
    help: str
    example: str


ACTIONS = (
    HistoryAction(
        "measure", measure, "measure what is missing (this action need not be named)", "v1.0..HEAD --every 5"
    ),
    HistoryAction(
        "alerts", alerts, "say what became worse and is not acknowledged: exit status 1 if anything", "--json"
    ),
    HistoryAction(
        "import",
        take_in,
        "take in the pairs of a gate, from its two pyperf suites",
        "qcaps-gate/base.json qcaps-gate/head.json",
    ),
    HistoryAction(
        "export", export, "give out a revision's pairs as pyperf suites, or all as CSV", "v1.2 -o pairs"
    ),
    HistoryAction(
        "layouts",
        layouts,
        "say what the layout of a C build is worth: one commit, built ten times",
        "v9.0.0 --build 'meson setup build && ninja -C build'",
    ),
    HistoryAction("page", page, "draw the history as one page", "-o history.html"),
    HistoryAction("merge", merge, "take in what other stores of the same line have", "other.db"),
    HistoryAction("prune", prune, "drop what is no longer wanted, and say what", "--before v1.0"),
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's actions and their arguments."""
    parser.description = (
        "A history holds ratios: each revision is timed in pairs with an older one, its anchor, so that a\n"
        "machine that changes its speed from day to day changes nothing. Counts are exact."
    )
    assert isinstance(parser, Parser)
    parser.default_action = "measure"
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    for action in ACTIONS:
        one = actions.add_parser(
            action.name,
            help=action.help,
            description=action.help[0].upper() + action.help[1:] + ".",
            epilog=f"Example: qcaps history {action.name} {action.example}",
        )
        one.set_defaults(history_action=action)
        action.module.configure(one)
        add_options(one, store=STORE)
    parser.epilog = "Example: qcaps history v1.0..HEAD"


def run(args: argparse.Namespace) -> int:
    """Carry the action out."""
    action: HistoryAction = args.history_action
    return action.module.run(args)
