"""`qcaps report`: draw what results files hold, without measuring again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qcaps.commands.options import add_options, existing_path, folder, print_json
from qcaps.commands.terminal import say

if TYPE_CHECKING:
    import argparse

    from qcaps.report.page import PageReport
    from qcaps.report.sources import Sources


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.description = (
        "Draw a report from results files: one page that needs no network and can be read without\n"
        "JavaScript, a summary in Markdown, figures as SVG and PNG, the numbers as JSON. Several files are\n"
        "shown side by side; of what two of them measured, the newest counts. Exit status 1 if a file could\n"
        "not be read or a section not drawn."
    )
    parser.add_argument(
        "files",
        nargs="+",
        type=existing_path,
        metavar="RESULTS",
        help="results.json of a run, gate-report.json of a gate, the output of `qcaps torn`",
    )
    parser.add_argument(
        "--section",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME",
        help="draw these sections alone, as in --section today ladder (default: all)",
    )
    add_options(parser, "content", "json", output=folder("qcaps-report"))
    parser.epilog = "Example: qcaps report qcaps-results/results.json -o report"


def run(args: argparse.Namespace) -> int:
    """Draw, and say what is missing; 1 if something given could not be shown."""
    from qcaps.files import held  # `--help` need not pay for any of this
    from qcaps.report import page, sources

    given = sources.load(args.files)
    with held(args.output):
        report = page.build(given, args.output, args.content, only=args.section)
    _say(args, given, report)
    return 1 if given.complaints or any(one.failed for one in report.missing) else 0


def _say(args: argparse.Namespace, given: Sources, report: PageReport) -> None:
    if args.json:
        plain = {
            "files": [str(path) for path in report.files],
            "shown": report.shown,
            "missing": {one.name: one.why for one in report.missing},
            "unread": given.complaints,
        }
        print_json("report", plain)
    else:
        print(f"{args.output / 'report.html'}: {', '.join(report.shown) or 'nothing to show'}")
    for line in (*given.complaints, *(f"not shown: {one.heading}: {one.why}" for one in report.missing)):
        say(line)
