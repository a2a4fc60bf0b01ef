"""`qcaps report`: draw what results files hold, without measuring again."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from qcaps.errors import UsageError

if TYPE_CHECKING:
    import argparse

    from qcaps.report.page import Report
    from qcaps.report.sources import Sources


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.description = (
        "Draw a report from results files: one page that needs neither network nor JavaScript, a summary in\n"
        "Markdown, figures as SVG and PNG, the numbers as JSON. Several files are shown side by side; of"
        " what two\n"
        "of them measured, the newest counts. Exit status 1 if a file could not be read or a section not"
        " drawn."
    )
    parser.add_argument(
        "files",
        nargs="+",
        type=Path,
        metavar="RESULTS",
        help="results.json of a run, gate-report.json of a gate, the output of `qcaps torn`",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="DIR",
        default=Path("qcaps-report"),
        help="(default: ./qcaps-report)",
    )
    parser.add_argument(
        "--content", type=Path, metavar="DIR", help="your own reports/, beside those that ship"
    )
    parser.add_argument(
        "--json", action="store_true", help="print what was written, shown and missing as JSON"
    )
    parser.epilog = "Example: qcaps report qcaps-results/results.json -o report"


def run(args: argparse.Namespace) -> int:
    """Draw, and say what is missing; 1 if something given could not be shown."""
    from qcaps.files import held  # `--help` need not pay for any of this
    from qcaps.report import page, sources

    for file in args.files:
        if not file.is_file():
            raise UsageError(f"{file}: no such file; 'qcaps run' writes one")
    given = sources.load(args.files)
    with held(args.output):
        report = page.build(given, args.output, args.content)
    _say(args, given, report)
    return 1 if given.complaints or any(one.failed for one in report.missing) else 0


def _say(args: argparse.Namespace, given: Sources, report: Report) -> None:
    if args.json:
        plain = {
            "files": [str(path) for path in report.files],
            "shown": report.shown,
            "missing": {one.name: one.why for one in report.missing},
            "unread": given.complaints,
        }
        print(json.dumps(plain, indent=2))
    else:
        print(f"{args.output / 'report.html'}: {', '.join(report.shown) or 'nothing to show'}")
    for line in (*given.complaints, *(f"not shown: {one.heading}: {one.why}" for one in report.missing)):
        print("qcaps:", " ".join(line.split()), file=sys.stderr)
